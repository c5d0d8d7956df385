// What a scenario's workloads do on a platform: the software stack is brought up on CPU 0, then every
// workload runs.
#pragma once

#include "drivers/dma/dma_api.h"
#include "drivers/dma/map_benchmark.h"
#include "drivers/smmuv3/domain.h"
#include "drivers/smmuv3/smmuv3.h"
#include "platforms/host/measurements.h"
#include "platforms/host/platform.h"

#include <memory>
#include <string>
#include <vector>

namespace iommusim::host {

/// The software of a platform: one IOMMU driver, a domain and a DMA API device for each DMA master.
class Software : private smmuv3_driver::ErrorLog {
public:
    Software(Platform& platform, const Scenario& scenario, Measurements& measurements);
    ~Software() override;

    /// Gives CPU 0 its first program; the workloads follow from there.
    void start();

    /// True when every workload has come to its end.
    bool finished() const;
    Picoseconds begin_time() const { return begin_; } ///< of the first workload
    Picoseconds end_time() const;                     ///< of the last one
    /// What went wrong, one line each; empty in a healthy run.
    const std::vector<std::string>& errors() const { return errors_; }

    /// Adds what the software counted.
    void report(Result& result) const;

private:
    class DmaTraffic;
    struct DeviceSoftware {
        std::unique_ptr<smmuv3_driver::Smmuv3Domain> iommu_domain;
        std::unique_ptr<dma::DmaDomain> domain;
        std::unique_ptr<dma::DmaDevice> device;
    };

    void boot(machine::Cpu& cpu);
    bool attach(machine::Cpu& cpu, const DeviceOptions& options, DeviceSoftware& software);
    void start_workloads(machine::Cpu& cpu);
    void on_driver_error(smmuv3_driver::DriverError error, Picoseconds time, std::uint64_t detail) override;

    Platform& platform_;
    const Scenario& scenario_;
    Measurements& measurements_;
    smmuv3_driver::Smmuv3Driver driver_;
    std::vector<DeviceSoftware> devices_; ///< in the scenario's order
    std::vector<std::unique_ptr<dma::MapBenchmark>> benchmarks_;
    std::vector<std::unique_ptr<DmaTraffic>> traffic_;
    std::vector<std::string> errors_;
    Picoseconds begin_ = 0;
    bool started_ = false;
};

} // namespace iommusim::host
