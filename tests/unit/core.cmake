# The core, driven message by message.
foreach(name access as_of backup core core_edges emergency_list erasure erasure_bytes expiry identity_facts later migrate persons policy_diff purposes report_query retention scrub verify)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c ${CMAKE_CURRENT_LIST_DIR}/core_fixture.c)
  target_link_libraries(test_${name} PRIVATE carehub_core PkgConfig::CMOCKA carehub_options)
  target_compile_definitions(test_${name} PRIVATE
    CAREHUB_DEFAULT_POLICY="${PROJECT_SOURCE_DIR}/hub/policy/default.policy")
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endforeach()
# These open the database beside the hub: to make it one of an older version, to damage it.
target_link_libraries(test_later PRIVATE PkgConfig::SQLITE3)
target_link_libraries(test_scrub PRIVATE PkgConfig::SQLITE3)
target_link_libraries(test_erasure PRIVATE PkgConfig::SQLITE3)
target_link_libraries(test_migrate PRIVATE PkgConfig::SQLITE3)
target_compile_definitions(test_migrate PRIVATE CAREHUB_SCHEMA3="${CMAKE_CURRENT_LIST_DIR}/schema3.sql")
target_link_libraries(test_retention PRIVATE PkgConfig::SQLITE3)
target_link_libraries(test_erasure_bytes PRIVATE PkgConfig::SQLITE3)
target_link_libraries(test_backup PRIVATE PkgConfig::SQLITE3)
target_link_libraries(test_persons PRIVATE PkgConfig::SQLITE3)
