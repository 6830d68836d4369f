# extrema::highway: portable SIMD, used header-only. Hint: HIGHWAY_ROOT (a prefix) or HIGHWAY_INCLUDE_DIR (exact).
find_path(HIGHWAY_INCLUDE_DIR hwy/highway.h HINTS ${HIGHWAY_ROOT} $ENV{HIGHWAY_ROOT} PATH_SUFFIXES include)
if(NOT HIGHWAY_INCLUDE_DIR)
  message(FATAL_ERROR
    "The headers of Highway were not found, and the native kernels of extrema need them. Install them and build again:\n"
    "  Debian, Ubuntu  apt-get install libhwy-dev\n"
    "  Fedora          dnf install highway-devel\n"
    "  Alpine          apk add highway-dev\n"
    "  macOS           brew install highway\n"
    "  Windows         vcpkg install highway\n"
    "or say where they are with HIGHWAY_ROOT=/prefix. Without them the package still works on its portable kernels.")
endif()
message(STATUS "extrema: Highway headers from ${HIGHWAY_INCLUDE_DIR}")

# Only hwy/ is offered: a plain -I/usr/include would put an arm64 cross build onto the host's headers. One place for all
# build folders, so that a compiler cache knows a file again.
set(highway_link "${CMAKE_CURRENT_SOURCE_DIR}/build/highway")
file(MAKE_DIRECTORY "${highway_link}")
if(WIN32)
  file(COPY "${HIGHWAY_INCLUDE_DIR}/hwy" DESTINATION "${highway_link}")
else()
  file(CREATE_LINK "${HIGHWAY_INCLUDE_DIR}/hwy" "${highway_link}/hwy" SYMBOLIC)
endif()
add_library(extrema_highway INTERFACE)
add_library(extrema::highway ALIAS extrema_highway)
target_include_directories(extrema_highway SYSTEM INTERFACE "${highway_link}")
