# Tests of the way out: the outlet against a hub, journal, format and transport that the test plays, and the outgoing
# transports against receivers on loopback.
set(host ${PROJECT_SOURCE_DIR}/adapters/host)
set(here ${CMAKE_CURRENT_LIST_DIR})

add_library(outlet_peer STATIC ${here}/outlet_peer.c)
target_include_directories(outlet_peer PUBLIC ${here})
target_link_libraries(outlet_peer
  PUBLIC carehub_settings PkgConfig::UV PkgConfig::CMOCKA Threads::Threads
  PRIVATE carehub_options PkgConfig::SSL PkgConfig::CRYPTO)

# By its sources, for what it calls is the test's own.
add_executable(test_outlet ${here}/test_outlet.c ${host}/outlet.c ${host}/outlet_inbox.c ${host}/outlet_settings.c
  ${PROJECT_SOURCE_DIR}/hub/log_line.c)
target_include_directories(test_outlet PRIVATE ${host} ${PROJECT_SOURCE_DIR}/hub)
target_link_libraries(test_outlet PRIVATE outlet_peer carehub_proto carehub_options)

foreach(name mllp_client http_client folder_out)
  add_executable(test_${name} ${here}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_host outlet_peer carehub_options)
endforeach()

foreach(name outlet mllp_client http_client folder_out)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endforeach()
