# Tests of the access matrix and the routing decision (hub/route).
foreach(name policy route route_property)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_core PkgConfig::CMOCKA carehub_options)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
target_compile_definitions(test_policy PRIVATE
  CAREHUB_DEFAULT_POLICY="${PROJECT_SOURCE_DIR}/hub/policy/default.policy")

# What a decision costs; run by hand.
add_executable(bench_route ${CMAKE_CURRENT_LIST_DIR}/bench_route.c)
target_link_libraries(bench_route PRIVATE carehub_core carehub_options)
