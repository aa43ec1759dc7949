# Unit tests of the generic support in proto/.
include(${CMAKE_CURRENT_LIST_DIR}/proto/sample.cmake)
find_package(Threads REQUIRED)
foreach(name pbjson pbcheck identifier eventid)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE
    carehub_options carehub_proto carehub_test_sample PkgConfig::CMOCKA Threads::Threads m)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
