# extrema::blas: CBLAS and LAPACK. Accelerate on macOS, OpenBLAS elsewhere.
# Hints: OPENBLAS_ROOT (a prefix), or OPENBLAS_INCLUDE_DIR and OPENBLAS_LIBRARY (exact).
add_library(extrema_blas INTERFACE)
add_library(extrema::blas ALIAS extrema_blas)
set(EXTREMA_BLAS_SOURCES)

if(APPLE)
  target_compile_definitions(extrema_blas INTERFACE EXTREMA_ACCELERATE ACCELERATE_NEW_LAPACK)
  target_link_libraries(extrema_blas INTERFACE "-framework Accelerate")
  message(STATUS "extrema: BLAS from Accelerate")
  return()
endif()

if(EXTREMA_STATIC_BLAS)
  set(openblas_names libopenblas.a openblas.lib libopenblas.lib)
else()
  set(openblas_names openblas libopenblas)
endif()
set(openblas_hints ${OPENBLAS_ROOT} $ENV{OPENBLAS_ROOT})
# Not cblas.h: that may be the reference BLAS's, which does not declare OpenBLAS's own functions.
find_path(OPENBLAS_INCLUDE_DIR openblas_config.h HINTS ${openblas_hints}
  PATH_SUFFIXES include include/openblas openblas ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread)
find_library(OPENBLAS_LIBRARY NAMES ${openblas_names} HINTS ${openblas_hints} PATH_SUFFIXES lib lib64 openblas-pthread)

if(NOT OPENBLAS_INCLUDE_DIR OR NOT OPENBLAS_LIBRARY)
  message(FATAL_ERROR
    "OpenBLAS was not found, and the native kernels of extrema need it. Install it and build again:\n"
    "  Debian, Ubuntu  apt-get install libopenblas-dev\n"
    "  Fedora          dnf install openblas-devel\n"
    "  Alpine          apk add openblas-dev\n"
    "  Windows         vcpkg install openblas\n"
    "or say where it is with OPENBLAS_ROOT=/prefix. Without it the package still works on its portable kernels.")
endif()

# Debian's libopenblas.so is a link; the real path tells the flavour.
get_filename_component(openblas_real "${OPENBLAS_LIBRARY}" REALPATH)
if(openblas_real MATCHES "openblas-serial")
  message(FATAL_ERROR
    "The serial flavour of OpenBLAS (${openblas_real}) computes wrong results when two threads call it.\n"
    "  apt-get install libopenblas-pthread-dev   (and remove libopenblas-serial-dev)")
endif()
message(STATUS "extrema: BLAS from ${openblas_real}")

target_include_directories(extrema_blas SYSTEM INTERFACE "${OPENBLAS_INCLUDE_DIR}")
target_compile_definitions(extrema_blas INTERFACE EXTREMA_OPENBLAS)
if(EXTREMA_STATIC_BLAS)
  find_package(Threads REQUIRED)
  set(EXTREMA_BLAS_SOURCES native/binding/fortran_shim.c)
  target_link_libraries(extrema_blas INTERFACE "${OPENBLAS_LIBRARY}" Threads::Threads)
  if(UNIX)
    target_link_libraries(extrema_blas INTERFACE m)
  endif()
else()
  target_link_libraries(extrema_blas INTERFACE "${OPENBLAS_LIBRARY}")
endif()
