# Tests of the gate, of the threads around it, and of the daemon's configuration.
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
set(hub ${PROJECT_SOURCE_DIR}/hub)
set(here ${CMAKE_CURRENT_LIST_DIR})
set(gate_test_queue ${here}/test_queue.c)
set(gate_test_sessions ${here}/test_sessions.c)
set(gate_test_gate ${here}/test_gate.c ${here}/gate_fixture.c)
set(gate_test_core_thread ${here}/test_core_thread.c ${hub}/core_thread.c ${hub}/worker.c)
set(gate_test_config ${here}/test_config.c ${hub}/config.c ${hub}/secrets.c)
foreach(name queue sessions gate core_thread config)
  add_executable(test_${name} ${gate_test_${name}} ${hub}/log_line.c)
  target_include_directories(test_${name} PRIVATE ${hub} ${here})
  target_link_libraries(test_${name} PRIVATE
    carehub_options carehub_gate carehub_proto carehub_audit
    PkgConfig::ZMQ PkgConfig::CZMQ PkgConfig::UV PkgConfig::SODIUM PkgConfig::CMOCKA Threads::Threads)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES TIMEOUT 120)
endforeach()
