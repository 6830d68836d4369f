# extrema::flags: how every native source is compiled.
# Never -ffast-math (it breaks the NaN and infinity checks) and never -march=native (a prebuild would crash elsewhere).
# fp-contract=off: scalar code gives the same bits on every machine; SIMD code asks for FMA explicitly.
find_package(Threads REQUIRED)

add_library(extrema_flags INTERFACE)
add_library(extrema::flags ALIAS extrema_flags)
target_include_directories(extrema_flags INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/native")
target_link_libraries(extrema_flags INTERFACE Threads::Threads)
target_compile_options(extrema_flags INTERFACE
  $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-Wall;-Wextra;-fno-math-errno;-ffp-contract=off;-ffunction-sections;-fdata-sections>
  $<$<CXX_COMPILER_ID:MSVC>:/W3;/fp:precise>)
if(MSVC)
  target_compile_definitions(extrema_flags INTERFACE NOMINMAX _USE_MATH_DEFINES)
endif()

if(EXTREMA_WERROR)
  target_compile_options(extrema_flags INTERFACE
    $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-Werror> $<$<CXX_COMPILER_ID:MSVC>:/WX>)
endif()

if(EXTREMA_SANITIZE)
  # -O1 -g1: instrumented vector code takes minutes to compile otherwise. The two flags at the end: without them GCC 12
  # refuses node-addon-api's thread-safe functions ("is not a constant expression").
  target_compile_options(extrema_flags INTERFACE -fsanitize=${EXTREMA_SANITIZE} -fno-omit-frame-pointer -O1 -g1
    -fno-sanitize=null,nonnull-attribute,returns-nonnull-attribute -fdelete-null-pointer-checks)
  target_link_options(extrema_flags INTERFACE -fsanitize=${EXTREMA_SANITIZE})
endif()
