# Medication schemes: KMEHR, FHIR, and what a new version changes.
foreach(name scheme kmehr fhir_medication)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_pharmacy carehub_options PkgConfig::CMOCKA)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()

# The plug-in, linked in: messages through it, and events out of it. test_pharmacy_write can also write what it makes
# into a directory, for other programs to judge: tests/e2e/test_fhir_valid.py.
add_library(pharmacy_fixture STATIC ${CMAKE_CURRENT_LIST_DIR}/pharmacy_fixture.c
  ${PROJECT_SOURCE_DIR}/adapters/pharmacy/pharmacy_format.c)
target_link_libraries(pharmacy_fixture PUBLIC
  carehub_pharmacy_parts carehub_proto carehub_options PkgConfig::JSONC PkgConfig::CMOCKA)
target_compile_definitions(pharmacy_fixture PUBLIC CAREHUB_CORPORA_DEFAULT="${PROJECT_SOURCE_DIR}/../shared/corpora")
foreach(name pharmacy_format pharmacy_write pharmacy_corpus pharmacy_conformance)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE pharmacy_fixture)
  add_test(NAME unit.${name} COMMAND test_${name})
  set_tests_properties(unit.${name} PROPERTIES SKIP_RETURN_CODE 77)
endforeach()
