# The mapping of FHIR and JSON for home care, and the plug-in. test_fhir_write and test_homecare_format can also write
# what they make into a directory, for other programs to judge: tests/e2e/test_fhir_valid.py.
foreach(name fhir_read fhir_assess fhir_encounter fhir_write event_json)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/hub)
  target_link_libraries(test_${name} PRIVATE carehub_homecare PkgConfig::CMOCKA carehub_options)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()

foreach(name homecare_format homecare_corpus)
  add_executable(test_${name}
    ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c ${PROJECT_SOURCE_DIR}/adapters/homecare/homecare_format.c)
  target_link_libraries(test_${name} PRIVATE carehub_homecare_parts PkgConfig::CMOCKA carehub_options)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
target_compile_definitions(test_homecare_corpus PRIVATE
  CAREHUB_CORPORA_DEFAULT="${PROJECT_SOURCE_DIR}/../shared/corpora")
set_tests_properties(unit.homecare_corpus PROPERTIES SKIP_RETURN_CODE 77)
