# Fuzzers of the medication readers and of their plug-in: clang only, with -DCAREHUB_FUZZ=ON. They take a folder of seeds
# as argument; tests/fuzz/seeds-pharmacy DIR makes one of the public samples.
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
# Compiled anew, so that the library's code is instrumented for coverage.
set(pharmacy_dir ${PROJECT_SOURCE_DIR}/adapters/pharmacy)
file(GLOB pharmacy_sources CONFIGURE_DEPENDS ${pharmacy_dir}/*.c)
set(fuzzed_with_pharmacy_format ${CMAKE_CURRENT_LIST_DIR}/../unit/pharmacy_fixture.c)
foreach(name kmehr fhir_medication pharmacy_format)
  add_executable(fuzz_${name} ${CMAKE_CURRENT_LIST_DIR}/fuzz_${name}.c ${fuzzed_with_${name}}
    ${pharmacy_sources} $<TARGET_OBJECTS:carehub_scheme_schema>)
  add_dependencies(fuzz_${name} carehub_scheme_schema)
  target_include_directories(fuzz_${name} PRIVATE ${pharmacy_dir} ${CMAKE_CURRENT_LIST_DIR}/../unit)
  target_include_directories(fuzz_${name} SYSTEM PRIVATE
    $<TARGET_PROPERTY:carehub_scheme_schema,INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(fuzz_${name} PRIVATE
    carehub_homecare carehub_hl7v2 carehub_settings carehub_proto carehub_options PkgConfig::LIBXML2 PkgConfig::JSONC
    PkgConfig::SODIUM)
endforeach()
