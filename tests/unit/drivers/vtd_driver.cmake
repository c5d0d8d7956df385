iommusim_test(vtd_driver_tests vtd/descriptors_test.cpp vtd/enable_test.cpp vtd/domain_test.cpp vtd/flush_test.cpp
    vtd/recovery_test.cpp vtd/faults_test.cpp
    LINK iommusim_vtd_driver iommusim_vtd iommusim_soc iommusim_dma iommusim_machine LABELS unit)
