# The mapping of ADT messages to care events.
add_executable(test_adt ${CMAKE_CURRENT_LIST_DIR}/test_adt.c)
target_link_libraries(test_adt PRIVATE carehub_adt carehub_options PkgConfig::CMOCKA)
add_test(NAME unit.adt COMMAND test_adt)

# What the adapter host remembers.
set(host ${PROJECT_SOURCE_DIR}/adapters/host)
add_executable(test_journal ${CMAKE_CURRENT_LIST_DIR}/test_journal.c 
  ${host}/journal.c ${host}/journal_held.c ${host}/seal.c)
target_include_directories(test_journal PRIVATE ${host})
target_link_libraries(test_journal PRIVATE
  carehub_proto carehub_options PkgConfig::SQLITE3 PkgConfig::SODIUM PkgConfig::CMOCKA)
add_test(NAME unit.journal COMMAND test_journal)
