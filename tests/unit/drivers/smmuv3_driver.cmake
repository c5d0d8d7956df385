iommusim_test(smmuv3_driver_tests smmuv3/tlbi_range_test.cpp smmuv3/reset_test.cpp smmuv3/command_queue_test.cpp
    smmuv3/command_queue_property_test.cpp smmuv3/tables_test.cpp smmuv3/domain_test.cpp smmuv3/events_test.cpp
    LINK iommusim_smmuv3_driver iommusim_pgtable iommusim_dma iommusim_machine rapidcheck LABELS unit)
