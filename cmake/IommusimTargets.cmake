# How this project declares a library and a test: one place for warnings, sanitizers and include paths.

function(iommusim_target target)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
    if(IOMMUSIM_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
    if(IOMMUSIM_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-omit-frame-pointer
                                                 -fno-sanitize-recover=undefined)
        target_link_options(${target} PUBLIC -fsanitize=address,undefined)
    endif()
endfunction()

# iommusim_library(NAME sources... LINK libraries...)
function(iommusim_library target)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    add_library(${target} STATIC ${ARG_UNPARSED_ARGUMENTS})
    iommusim_target(${target})
    target_link_libraries(${target} PUBLIC ${ARG_LINK})
endfunction()

# iommusim_test(NAME sources... LINK libraries... [LABELS labels...]): every TEST() becomes one ctest test.
function(iommusim_test target)
    cmake_parse_arguments(ARG "" "" "LINK;LABELS" ${ARGN})
    add_executable(${target} ${ARG_UNPARSED_ARGUMENTS})
    iommusim_target(${target})
    target_link_libraries(${target} PRIVATE ${ARG_LINK} iommusim_test_main GTest::gtest)
    gtest_discover_tests(${target} DISCOVERY_TIMEOUT 60 PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 300)
endfunction()
