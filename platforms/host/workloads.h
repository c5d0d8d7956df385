// What a scenario's workloads do on a platform: the software stack is brought up on CPU 0, then every
// workload runs.
#pragma once

#include "drivers/dma/dma_api.h"
#include "drivers/dma/iommu_driver.h"
#include "drivers/dma/map_benchmark.h"
#include "platforms/host/measurements.h"
#include "platforms/host/platform.h"

#include <memory>
#include <string>
#include <vector>

namespace iommusim::host {

/// The software of a platform: one IOMMU driver, a domain and a DMA API device for each address space of each
/// DMA master.
class Software : private dma::DriverErrorLog {
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
    /// Of a device, or of one PASID of it.
    struct AddressSpace {
        std::string name;
        Requester requester;
        std::unique_ptr<dma::IommuDomain> iommu_domain;
        std::unique_ptr<dma::DmaDomain> domain;
        std::unique_ptr<dma::DmaDevice> device;
    };
    /// What a workload does in one of its device's address spaces.
    struct Share;

    void boot(machine::Cpu& cpu);
    bool attach(machine::Cpu& cpu, const DeviceOptions& options, AddressSpace& space);
    void start_workloads(machine::Cpu& cpu);
    void start_benchmark(const WorkloadOptions& options, std::vector<AddressSpace>& spaces,
                         unsigned first_cpu);
    void start_traffic(machine::Cpu& cpu, const WorkloadOptions& options, soc::DmaMaster& master,
                       std::vector<AddressSpace>& spaces, std::uint64_t seed);
    void on_driver_error(const dma::DriverErrorReport& error) override;

    Platform& platform_;
    const Scenario& scenario_;
    Measurements& measurements_;
    std::unique_ptr<dma::IommuDriver> driver_;
    std::vector<std::vector<AddressSpace>> devices_; ///< in the scenario's order
    std::vector<std::unique_ptr<dma::MapBenchmark>> benchmarks_;
    std::vector<std::unique_ptr<DmaTraffic>> traffic_;
    std::vector<std::string> errors_;
    Picoseconds begin_ = 0;
    bool started_ = false;
};

} // namespace iommusim::host
