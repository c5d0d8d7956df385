iommusim_test(machine_test machine_test.cpp machine_poll_test.cpp machine_sharing_test.cpp
    LINK iommusim_machine LABELS unit)
