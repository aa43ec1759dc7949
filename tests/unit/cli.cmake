# Tests of the command line: parsing, what people type, what they read.
foreach(name cli cli_policy_diff cli_story cli_template cli_texts receipt_file report)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_cli_parts PkgConfig::CMOCKA carehub_options)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 60 ENVIRONMENT TZ=UTC)
endforeach()
