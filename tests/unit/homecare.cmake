# The mapping of FHIR and JSON for home care. test_fhir_write can also write what it makes into a directory, for other
# programs to judge: tests/e2e/test_fhir_valid.py.
foreach(name fhir_read fhir_encounter fhir_write event_json fhir_corpus)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/hub)
  target_link_libraries(test_${name} PRIVATE carehub_homecare PkgConfig::CMOCKA carehub_options)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
target_compile_definitions(test_fhir_corpus PRIVATE
  CAREHUB_CORPORA_DEFAULT="${PROJECT_SOURCE_DIR}/../shared/corpora")
set_tests_properties(unit.fhir_corpus PROPERTIES SKIP_RETURN_CODE 77)
