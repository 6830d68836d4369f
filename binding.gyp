# Hands over to CMakeLists.txt, so that node-gyp, node-gyp-build and prebuildify build what cmake-js builds.
# The output never exists: the action always runs, and CMake decides what is stale.
{
  "targets": [
    {
      "target_name": "extrema",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/extrema.always"],
          "action": ["node", "native/build.cjs", "<(CONFIGURATION_NAME)"],
        },
      ],
    },
  ],
}
