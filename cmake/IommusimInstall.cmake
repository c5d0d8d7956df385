# What `cmake --install` adds for foreign virtual platforms, beside the program, its scenarios and the report schema
# (platforms/cli): public headers, static libraries, and a package that find_package(iommusim) finds.
include(CMakePackageConfigHelpers)

# Public headers, all C++17, below models/ here and below include/iommusim/ there. They include each other relatively.
set(iommusim_public_headers
    base/bits.h
    base/line_monitor.h
    base/parameters.h
    base/time.h
    core/ats.h
    core/feature_page.h
    core/interrupt.h
    core/oracle.h
    core/probe.h
    core/requester.h
    core/statistics.h
    core/timed_queue.h
    core/translation.h
    smmuv3/interrupt_lines.h
    smmuv3/parameters.h
    smmuv3/smmuv3.h
    smmuv3/statistics.h
    smmuv3/spec/commands.h
    smmuv3/spec/context_descriptor.h
    smmuv3/spec/events.h
    smmuv3/spec/registers.h
    smmuv3/spec/stream_table.h
    smmuv3/spec/translation_table.h
    soc/ats_fabric.h
    soc/device_tlb.h
    soc/dma_engine_registers.h
    soc/dma_job.h
    soc/dma_master.h
    soc/dmi_cache.h
    soc/fault_injector.h
    soc/fifo.h
    soc/interconnect.h
    soc/interrupt_sink.h
    soc/memory.h
    soc/spec/dma_engine.h
    vtd/feature_set.h
    vtd/parameters.h
    vtd/vtd.h
    vtd/spec/descriptors.h
    vtd/spec/faults.h
    vtd/spec/interrupts.h
    vtd/spec/page_request.h
    vtd/spec/paging.h
    vtd/spec/registers.h
    vtd/spec/structures.h)

foreach(header IN LISTS iommusim_public_headers)
    get_filename_component(folder ${header} DIRECTORY)
    install(FILES ${PROJECT_SOURCE_DIR}/models/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/iommusim/${folder})
endforeach()

target_compile_features(iommusim_base INTERFACE cxx_std_17)
foreach(name IN ITEMS systemc base core smmuv3 soc vtd)
    set_target_properties(iommusim_${name} PROPERTIES EXPORT_NAME ${name})
    install(TARGETS iommusim_${name} EXPORT iommusim-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
            INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endforeach()

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/iommusim)
set(built_package_folder ${PROJECT_BINARY_DIR}/package)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/iommusim-config.cmake.in
                              ${built_package_folder}/iommusim-config.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${built_package_folder}/iommusim-config-version.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT iommusim-targets NAMESPACE iommusim:: DESTINATION ${package_folder})
install(FILES ${built_package_folder}/iommusim-config.cmake ${built_package_folder}/iommusim-config-version.cmake
        DESTINATION ${package_folder})
