iommusim_test(dma_tests dma/iommu_api_test.cpp dma/dma_api_test.cpp dma/flush_queue_test.cpp dma/map_benchmark_test.cpp
    LINK iommusim_dma iommusim_pgtable iommusim_iova iommusim_machine rapidcheck LABELS unit)
