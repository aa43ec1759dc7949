# The core, driven message by message.
add_executable(test_core ${CMAKE_CURRENT_LIST_DIR}/test_core.c ${CMAKE_CURRENT_LIST_DIR}/core_fixture.c)
target_link_libraries(test_core PRIVATE carehub_core PkgConfig::CMOCKA carehub_options)
target_compile_definitions(test_core PRIVATE
  CAREHUB_DEFAULT_POLICY="${PROJECT_SOURCE_DIR}/hub/policy/default.policy")
add_test(NAME unit.core COMMAND test_core)
set_tests_properties(unit.core PROPERTIES TIMEOUT 120)

add_executable(test_core_edges ${CMAKE_CURRENT_LIST_DIR}/test_core_edges.c ${CMAKE_CURRENT_LIST_DIR}/core_fixture.c)
target_link_libraries(test_core_edges PRIVATE carehub_core PkgConfig::CMOCKA carehub_options)
target_compile_definitions(test_core_edges PRIVATE
  CAREHUB_DEFAULT_POLICY="${PROJECT_SOURCE_DIR}/hub/policy/default.policy")
add_test(NAME unit.core_edges COMMAND test_core_edges)
set_tests_properties(unit.core_edges PROPERTIES TIMEOUT 120)
