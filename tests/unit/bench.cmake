# The benchmark's histogram: figures that are quoted should be right.
add_executable(test_histogram ${CMAKE_CURRENT_LIST_DIR}/test_histogram.c ${PROJECT_SOURCE_DIR}/tools/bench/histogram.c)
target_include_directories(test_histogram PRIVATE ${PROJECT_SOURCE_DIR}/tools/bench)
target_link_libraries(test_histogram PRIVATE carehub_options PkgConfig::CMOCKA m)
add_test(NAME unit.histogram COMMAND test_histogram)
