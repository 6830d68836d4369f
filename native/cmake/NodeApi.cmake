# node::api: Node-API headers and node-addon-api, from cmake-js when it drives the build, else from node_modules.
add_library(node_api INTERFACE)
add_library(node::api ALIAS node_api)

if(CMAKE_JS_INC)
  set(node_api_include_dirs ${CMAKE_JS_INC})
else()
  find_program(EXTREMA_NODE NAMES node nodejs REQUIRED)
  execute_process(
    COMMAND "${EXTREMA_NODE}" -p
      "require('node-api-headers').include_dir + ';' + require('path').resolve(require('node-addon-api').include_dir)"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    OUTPUT_VARIABLE node_api_include_dirs OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE node_api_result ERROR_VARIABLE node_api_error)
  if(node_api_result)
    message(FATAL_ERROR "The Node-API headers are missing. Install them beside the package:\n"
      "  npm install node-addon-api node-api-headers\n${node_api_error}")
  endif()
endif()
target_include_directories(node_api SYSTEM INTERFACE ${node_api_include_dirs})

target_compile_definitions(node_api INTERFACE
  NAPI_VERSION=8
  NODE_ADDON_API_CPP_EXCEPTIONS
  NODE_ADDON_API_DISABLE_DEPRECATED
  NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS)

# Windows: the delay-load hook and an import library made from the list of Node-API symbols.
if(CMAKE_JS_SRC)
  target_sources(node_api INTERFACE ${CMAKE_JS_SRC})
endif()
if(CMAKE_JS_LIB)
  target_link_libraries(node_api INTERFACE ${CMAKE_JS_LIB})
endif()
if(MSVC AND CMAKE_JS_NODELIB_DEF AND CMAKE_JS_NODELIB_TARGET)
  execute_process(COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET} ${CMAKE_STATIC_LINKER_FLAGS}
    COMMAND_ERROR_IS_FATAL ANY)
endif()
if(APPLE)
  target_link_options(node_api INTERFACE -undefined dynamic_lookup)
endif()
