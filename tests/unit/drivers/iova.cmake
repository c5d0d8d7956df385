iommusim_test(iova_tests iova/rbtree_test.cpp iova/magazine_test.cpp iova/allocator_property_test.cpp
    LINK iommusim_iova iommusim_machine rapidcheck LABELS unit)
