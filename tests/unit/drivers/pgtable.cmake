iommusim_test(pgtable_tests pgtable/page_table_test.cpp pgtable/page_table_property_test.cpp
    pgtable/arm_lpae_s1_test.cpp pgtable/vtd_tables_test.cpp pgtable/radix_table_test.cpp
    LINK iommusim_pgtable iommusim_dma iommusim_machine rapidcheck LABELS unit)
