# The core of the adapter host: settings, plug-ins, the journal, and the way in.
foreach(name settings plugin journal intake forget)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_host carehub_options PkgConfig::CMOCKA)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 60)
endforeach()

# Formats that are well or badly made; one of them is where the program looks by itself.
set(test_plugins ${CMAKE_CURRENT_BINARY_DIR}/plugins)
foreach(name tiny other_abi no_symbol no_name does_nothing)
  add_library(test_plugin_${name} MODULE ${CMAKE_CURRENT_LIST_DIR}/plugins/plugin.c)
  set_target_properties(test_plugin_${name} PROPERTIES
    PREFIX "" OUTPUT_NAME ${name} SUFFIX .so LIBRARY_OUTPUT_DIRECTORY ${test_plugins})
  target_link_libraries(test_plugin_${name} PRIVATE carehub carehub_options)
  add_dependencies(test_plugin test_plugin_${name})
endforeach()
target_compile_definitions(test_plugin_other_abi PRIVATE PLUGIN_ABI=999)
target_compile_definitions(test_plugin_no_symbol PRIVATE PLUGIN_SYMBOL=some_format)
target_compile_definitions(test_plugin_no_name PRIVATE PLUGIN_NAME=NULL)
target_compile_definitions(test_plugin_does_nothing PRIVATE PLUGIN_TRANSLATE=NULL)
target_compile_definitions(test_plugin PRIVATE TEST_PLUGINS="${test_plugins}")

# A plug-in with a copy of the schema of its own would not be understood by libprotobuf-c.
add_test(NAME host.one_schema
  COMMAND sh -c "for p in *.so; do ! nm $p | grep ' [DdRrTt] carehub__v1__event__' || exit 1; done"
  WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/adapters/host/plugins)

# A format that is built outside of this tree, from what is installed.
add_test(NAME host.outside_tree
  COMMAND ${CMAKE_CURRENT_LIST_DIR}/test_outside_tree.sh ${CMAKE_BINARY_DIR} ${CMAKE_C_COMPILER}
          ${PROJECT_SOURCE_DIR}/adapters/sdk/examples ${CMAKE_INSTALL_LIBDIR} ${CMAKE_INSTALL_BINDIR})
set_tests_properties(host.outside_tree PROPERTIES TIMEOUT 120)
