# The Merkle log by itself: tree, tiles, notes, proofs; and as the core drives it.
foreach(name merkle tiles note proof)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_audit PkgConfig::SODIUM PkgConfig::CMOCKA carehub_options)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endforeach()

add_executable(test_tlog ${CMAKE_CURRENT_LIST_DIR}/test_tlog.c ${CMAKE_CURRENT_LIST_DIR}/core_fixture.c)
target_link_libraries(test_tlog PRIVATE carehub_core carehub_audit PkgConfig::SQLITE3 PkgConfig::CMOCKA carehub_options)
target_link_options(test_tlog PRIVATE -Wl,--wrap=renameat,--wrap=syncfs)
target_compile_definitions(test_tlog PRIVATE
  CAREHUB_DEFAULT_POLICY="${PROJECT_SOURCE_DIR}/hub/policy/default.policy")
add_test(NAME unit.tlog COMMAND test_tlog)
set_tests_properties(unit.tlog PROPERTIES TIMEOUT 120)
