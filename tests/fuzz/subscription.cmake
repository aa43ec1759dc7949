# The fuzzer of the reader of FHIR Subscriptions: cmake --preset fuzz, then run build/fuzz/…/fuzz_subscription DIR.
if(NOT CAREHUB_FUZZ OR NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
  return()
endif()
add_executable(fuzz_subscription
  ${CMAKE_CURRENT_LIST_DIR}/fuzz_subscription.c
  ${PROJECT_SOURCE_DIR}/adapters/host/subscription_read.c
  ${PROJECT_SOURCE_DIR}/adapters/host/subscription_resource.c
  ${PROJECT_SOURCE_DIR}/adapters/host/subscription_topic.c)
target_include_directories(fuzz_subscription PRIVATE
  ${PROJECT_SOURCE_DIR}/adapters/host ${PROJECT_SOURCE_DIR}/adapters/sdk ${PROJECT_SOURCE_DIR}/hub)
target_compile_options(fuzz_subscription PRIVATE -fsanitize=fuzzer)
target_link_options(fuzz_subscription PRIVATE -fsanitize=fuzzer)
target_link_libraries(fuzz_subscription PRIVATE carehub_homecare PkgConfig::UV carehub_options)
