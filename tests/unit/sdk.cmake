# Tests of libcarehub: the spool by itself, and the library against a scripted peer in place of a hub.
find_package(Threads REQUIRED)
set(here ${CMAKE_CURRENT_LIST_DIR})
add_executable(test_spool ${here}/test_spool.c)
target_link_libraries(test_spool PRIVATE carehub_options carehub_spool PkgConfig::CMOCKA Threads::Threads)
add_executable(test_sdk ${here}/test_sdk.c ${here}/sdk_peer.c)
target_include_directories(test_sdk PRIVATE ${here})
target_link_libraries(test_sdk PRIVATE
  carehub_options carehub PkgConfig::ZMQ PkgConfig::SODIUM PkgConfig::CMOCKA Threads::Threads)
foreach(name spool sdk)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endforeach()
