iommusim_test(pgtable_tests pgtable/arm_lpae_s1_test.cpp pgtable/arm_lpae_s1_property_test.cpp
    LINK iommusim_pgtable iommusim_dma iommusim_machine rapidcheck LABELS unit)
