# Medication schemes: KMEHR, FHIR, and what a new version changes.
foreach(name scheme kmehr fhir_medication pharmacy_corpus)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_pharmacy carehub_options PkgConfig::CMOCKA)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
target_compile_definitions(test_pharmacy_corpus PRIVATE
  CAREHUB_CORPORA_DEFAULT="${PROJECT_SOURCE_DIR}/../shared/corpora")
set_tests_properties(unit.pharmacy_corpus PROPERTIES SKIP_RETURN_CODE 77)
