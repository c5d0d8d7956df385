# SystemC, from its own CMake package where that is installed, otherwise from pkg-config (Debian).
# Defines the target iommusim::systemc.
#
# The library is built as C++17 and exports a link-time check symbol for that; C++20 code has to ask for the same
# symbol in every translation unit, which keeps the check.
if(NOT TARGET iommusim::systemc)
    add_library(iommusim_systemc INTERFACE)
    add_library(iommusim::systemc ALIAS iommusim_systemc)
    find_package(SystemCLanguage CONFIG QUIET)
    if(SystemCLanguage_FOUND)
        target_link_libraries(iommusim_systemc INTERFACE SystemC::systemc)
    else()
        find_package(PkgConfig REQUIRED)
        pkg_check_modules(SYSTEMC REQUIRED IMPORTED_TARGET systemc)
        target_link_libraries(iommusim_systemc INTERFACE PkgConfig::SYSTEMC)
    endif()
    target_compile_definitions(iommusim_systemc INTERFACE SC_CPLUSPLUS=201703L SC_INCLUDE_DYNAMIC_PROCESSES)
    set_target_properties(iommusim_systemc PROPERTIES EXPORT_NAME systemc)
endif()
set(SystemCOrPkgConfig_FOUND TRUE)
