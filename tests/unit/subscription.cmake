# FHIR subscriptions. test_subscription can also write what it makes into a directory, for other programs to judge:
# tests/e2e/test_fhir_valid.py. The life of a subscription is tested with a stand-in for libcarehub, whose functions it
# replaces when it is linked.
add_executable(test_subscription ${CMAKE_CURRENT_LIST_DIR}/test_subscription.c)
add_executable(test_subscription_store ${CMAKE_CURRENT_LIST_DIR}/test_subscription_store.c)
add_executable(test_subscription_life
  ${CMAKE_CURRENT_LIST_DIR}/test_subscription_life.c
  ${CMAKE_CURRENT_LIST_DIR}/stand_in_hub.c
  ${CMAKE_CURRENT_LIST_DIR}/subscription_case.c
  ${CMAKE_CURRENT_LIST_DIR}/subscription_receiver.c)
foreach(name subscription subscription_store subscription_life)
  target_link_libraries(test_${name} PRIVATE carehub_host PkgConfig::CMOCKA carehub_options)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
