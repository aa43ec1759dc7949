# The core, driven message by message.
foreach(name access as_of core core_edges expiry identity_facts later policy_diff)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c ${CMAKE_CURRENT_LIST_DIR}/core_fixture.c)
  target_link_libraries(test_${name} PRIVATE carehub_core PkgConfig::CMOCKA carehub_options)
  target_compile_definitions(test_${name} PRIVATE
    CAREHUB_DEFAULT_POLICY="${PROJECT_SOURCE_DIR}/hub/policy/default.policy")
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endforeach()
# This one opens the database beside the hub, to make it one of an older version.
target_link_libraries(test_later PRIVATE PkgConfig::SQLITE3)
