# Fuzzer of what the transports parse themselves: credentials files and headers, and addresses. Clang only.
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
set(host_dir ${PROJECT_SOURCE_DIR}/adapters/host)
add_executable(fuzz_credentials ${CMAKE_CURRENT_LIST_DIR}/fuzz_credentials.c
  ${host_dir}/credentials.c ${host_dir}/listen_address.c ${host_dir}/settings.c ${host_dir}/tls_stream.c)
target_include_directories(fuzz_credentials PRIVATE ${host_dir} ${PROJECT_SOURCE_DIR}/adapters/sdk)
target_compile_options(fuzz_credentials PRIVATE -fsanitize=fuzzer,address,undefined)
target_link_options(fuzz_credentials PRIVATE -fsanitize=fuzzer,address,undefined)
target_link_libraries(fuzz_credentials PRIVATE
  carehub_proto carehub_options PkgConfig::SODIUM PkgConfig::UV PkgConfig::SSL PkgConfig::CRYPTO)
