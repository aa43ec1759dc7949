# The mapping of ADT messages to care events.
add_executable(test_adt ${CMAKE_CURRENT_LIST_DIR}/test_adt.c)
target_link_libraries(test_adt PRIVATE carehub_adt carehub_options PkgConfig::CMOCKA)
add_test(NAME unit.adt COMMAND test_adt)
