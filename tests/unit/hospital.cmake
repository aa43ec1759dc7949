# Tests of the HL7 v2 core in adapters/hospital.
foreach(name hl7v2 hl7v2_batch hl7v2_time hl7v2_ack hl7v2_write mllp hl7v2_corpus)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_hl7v2 PkgConfig::CMOCKA carehub_options)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
target_compile_definitions(test_hl7v2_corpus PRIVATE
  CAREHUB_CORPORA_DEFAULT="${PROJECT_SOURCE_DIR}/../shared/corpora")
set_tests_properties(unit.hl7v2_corpus PROPERTIES SKIP_RETURN_CODE 77)

# Its mappings to events and facts (the one of ADT: adt.cmake).
foreach(name rx mdm merge hospital_corpus)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
  target_link_libraries(test_${name} PRIVATE carehub_adt carehub_options PkgConfig::CMOCKA)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
target_compile_definitions(test_hospital_corpus PRIVATE
  CAREHUB_CORPORA_DEFAULT="${PROJECT_SOURCE_DIR}/../shared/corpora")
set_tests_properties(unit.hospital_corpus PROPERTIES SKIP_RETURN_CODE 77)

# The plug-in: its functions, from the same sources as hospital.so.
foreach(name hospital_in hospital_out)
  add_executable(test_${name}
    ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c ${PROJECT_SOURCE_DIR}/adapters/hospital/hospital_format.c)
  target_link_libraries(test_${name} PRIVATE
    carehub_hospital carehub_settings carehub_proto carehub_options PkgConfig::SODIUM PkgConfig::CMOCKA)
  add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
