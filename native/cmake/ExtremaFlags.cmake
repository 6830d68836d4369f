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
  # These double the compile time of vector code and have nothing to find: typed arrays are aligned, no class is
  # reached through a wrong type, and objects whose size is known are the address sanitizer's.
  target_compile_options(extrema_flags INTERFACE -fno-sanitize=alignment,object-size,vptr)
  # Of the instruction sets only the one that this machine chooses, and the baseline.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND EXISTS /proc/cpuinfo)
    file(STRINGS /proc/cpuinfo avx512 REGEX "^flags.* avx512bw" LIMIT_COUNT 1)
    set(widest HWY_AVX2)
    if(avx512)
      set(widest HWY_AVX3)
    endif()
    target_compile_definitions(extrema_flags INTERFACE
      "EXTREMA_TARGETS=(${widest}|HWY_EMU128|HWY_SCALAR)")
  endif()
  target_link_options(extrema_flags INTERFACE -fsanitize=${EXTREMA_SANITIZE})
endif()
