# The Merkle log by itself: tree, tiles, notes, proofs; and as the core drives it.
foreach(name merkle tiles check note proof minimum)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_audit PkgConfig::SODIUM PkgConfig::CMOCKA carehub_options)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endforeach()
target_sources(test_tiles PRIVATE ${CMAKE_CURRENT_LIST_DIR}/tiles_fixture.c)
target_sources(test_check PRIVATE ${CMAKE_CURRENT_LIST_DIR}/tiles_fixture.c)

foreach(name tlog tlog_damage tlog_mend tlog_witness tlog_prune tlog_history)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c ${CMAKE_CURRENT_LIST_DIR}/tlog_fixture.c)
  target_link_libraries(test_${name} PRIVATE core_fixture carehub_audit PkgConfig::SQLITE3)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endforeach()
target_link_options(test_tlog PRIVATE -Wl,--wrap=renameat,--wrap=syncfs)
target_link_libraries(test_tlog_history PRIVATE PkgConfig::CRYPTO)
target_link_libraries(test_tlog_witness PRIVATE PkgConfig::SODIUM)

# The power fails, under the database and under the log's files at once.
add_executable(test_tlog_powercut ${CMAKE_CURRENT_LIST_DIR}/test_tlog_powercut.c ${CMAKE_CURRENT_LIST_DIR}/tlog_disk.c
  ${CMAKE_CURRENT_LIST_DIR}/tlog_fixture.c ${PROJECT_SOURCE_DIR}/tests/sim/vfs_powercut.c)
target_link_libraries(test_tlog_powercut PRIVATE core_fixture carehub_audit PkgConfig::SQLITE3)
target_link_options(test_tlog_powercut PRIVATE -Wl,--wrap=openat,--wrap=write,--wrap=mkdir,--wrap=mkdirat
  -Wl,--wrap=renameat,--wrap=unlinkat,--wrap=fsync,--wrap=syncfs)
add_test(NAME unit.tlog_powercut COMMAND test_tlog_powercut)
set_tests_properties(unit.tlog_powercut PROPERTIES TIMEOUT 300)
