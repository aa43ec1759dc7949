# The transports that bring messages in, each on loopback or in a folder of its own, with a host that does as it is told.
set(here ${CMAKE_CURRENT_LIST_DIR})
add_library(carehub_transport_fixture STATIC ${here}/transport_fixture.c ${here}/certificates.c ${here}/http_asking.c)
target_include_directories(carehub_transport_fixture PUBLIC ${here})
target_link_libraries(carehub_transport_fixture
  PUBLIC carehub_host PkgConfig::CURL PkgConfig::CMOCKA
  PRIVATE carehub_options)
foreach(name transport_mllp transport_http transport_http_limits transport_folder credentials)
  add_executable(test_${name} ${here}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_transport_fixture carehub_options)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endforeach()
