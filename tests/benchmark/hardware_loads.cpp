// The loads that need no driver: hits, misses and invalidations.
#include "tests/benchmark/hardware.h"
#include "tests/benchmark/loads.h"

#include <array>

namespace iommusim::benchmark {

namespace {

using sc_core::sc_time;

/// Pages that hits go round in: fewer than the TLB holds.
constexpr std::uint64_t hit_pages = 512;
/// Pages that misses go round in: with 64 TLB entries every access is to a page that has been replaced.
constexpr std::uint64_t miss_pages = 4096;

/// A load on one Hardware; each derived class says what one run does.
class HardwareLoad : public Load {
public:
    HardwareLoad(const Architecture& architecture, const Architecture::Rows& rows, std::uint64_t pages,
                 std::uint64_t table_reads)
        : hardware_("hardware", architecture, rows, pages), table_reads_(table_reads) {}

protected:
    /// Reads of table entries must be `table_reads_` for each of `operations`, and the data must have been
    /// read.
    template <class Work> void checked(std::uint64_t operations, Work work) {
        const std::uint64_t walks_before = walk_reads();
        const std::uint64_t data_before = hardware_.data.statistics().reads;
        work();
        require(walk_reads() - walks_before == table_reads_ * operations,
                "the load read another number of table entries than it is meant to");
        require(hardware_.data.statistics().reads - data_before == operations,
                "not every access reached the memory");
    }

    /// As the memory counts them: each is a transaction of its own.
    template <class Work> void checked_on_the_bus(std::uint64_t operations, Work work) {
        const std::uint64_t before = hardware_.tables.statistics().reads;
        checked(operations, work);
        require(hardware_.tables.statistics().reads - before == table_reads_ * operations,
                "not every table read was a transaction");
    }

    /// `count` reads, page after page.
    void dma(std::uint64_t count) {
        soc::DmaJob job;
        job.requester = Hardware::requester();
        job.pattern = soc::DmaPattern::ring;
        job.base = Hardware::window;
        job.stride = Hardware::page;
        job.window = hardware_.pages() * Hardware::page;
        job.count = count;
        job.outstanding = 16;
        soc::DmaJobId id = 0;
        hardware_.run([&] { id = hardware_.master.start(job); });
        require(hardware_.master.result(id).errors() == 0, "an access failed");
        require(hardware_.master.result(id).completed == count, "an access is missing");
    }

    Hardware hardware_;

private:
    /// As the unit counts them: loosely-timed walks may read through a direct memory pointer.
    std::uint64_t walk_reads() const { return counter(hardware_.unit(), "iommu.walk_reads"); }

    const std::uint64_t table_reads_;
};

class TimedReads final : public HardwareLoad {
public:
    TimedReads(const Architecture& architecture, const Architecture::Rows& rows, std::uint64_t pages,
               std::uint64_t table_reads)
        : HardwareLoad(architecture, rows, pages, table_reads) {
        dma(pages);
    }
    std::uint64_t run(std::uint64_t operations) override {
        checked_on_the_bus(operations, [&] { dma(operations); });
        return operations;
    }
};

class LooseReads final : public HardwareLoad {
public:
    LooseReads(const Architecture& architecture, const Architecture::Rows& rows, std::uint64_t pages,
               std::uint64_t table_reads)
        : HardwareLoad(architecture, rows, pages, table_reads) {
        hardware_.run([&] { read(pages); });
    }
    std::uint64_t run(std::uint64_t operations) override {
        checked(operations, [&] { hardware_.run([&] { read(operations); }); });
        return operations;
    }

private:
    /// As a device model does it: one payload, used again and again.
    void read(std::uint64_t count) {
        const sc_time quantum(10, sc_core::SC_US);
        RequesterExtension requester(Hardware::requester());
        std::array<std::uint8_t, 64> bytes{};
        tlm::tlm_generic_payload payload;
        payload.set_read();
        payload.set_data_ptr(bytes.data());
        payload.set_data_length(bytes.size());
        payload.set_streaming_width(bytes.size());
        payload.set_extension(&requester);
        sc_time ahead;
        for (std::uint64_t i = 0; i < count; ++i) {
            payload.set_address(Hardware::window + next_ * Hardware::page);
            payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
            next_ = next_ + 1 == hardware_.pages() ? 0 : next_ + 1;
            hardware_.master.socket->b_transport(payload, ahead);
            require(payload.is_response_ok(), "an access failed");
            if (ahead > quantum) {
                sc_core::wait(ahead);
                ahead = sc_core::SC_ZERO_TIME;
            }
        }
        payload.clear_extension(&requester);
    }

    std::uint64_t next_ = 0;
};

/// Pages are invalidated in a TLB that keeps as many others.
class Invalidations final : public HardwareLoad {
public:
    explicit Invalidations(const Architecture& architecture)
        : HardwareLoad(architecture, architecture.large_tlb, 2 * hit_pages, 0) {
        dma(hardware_.pages());
    }
    std::uint64_t run(std::uint64_t operations) override {
        const std::uint64_t batches = (operations + Hardware::batch - 1) / Hardware::batch;
        const std::uint64_t commands_before = counter(hardware_.unit(), "iommu.commands");
        const std::uint64_t completions_before = counter(hardware_.unit(), "iommu.syncs");
        hardware_.run([&] {
            for (std::uint64_t i = 0; i < batches; ++i) {
                hardware_.invalidate_pages(Hardware::window + next_ * Hardware::page);
                next_ = (next_ + Hardware::batch) % hit_pages;
            }
        });
        require(counter(hardware_.unit(), "iommu.commands") - commands_before == batches * Hardware::batch,
                "the unit carried out another number of commands than it was given");
        require(counter(hardware_.unit(), "iommu.syncs") - completions_before == batches,
                "not every batch was completed");
        return batches * Hardware::batch;
    }

private:
    std::uint64_t next_ = 0;
};

} // namespace

std::unique_ptr<Load> make_timed_hit(const Architecture& a) {
    return std::make_unique<TimedReads>(a, a.large_tlb, hit_pages, 0);
}
std::unique_ptr<Load> make_timed_miss(const Architecture& a) {
    return std::make_unique<TimedReads>(a, a.no_useful_caches, miss_pages, 3);
}
std::unique_ptr<Load> make_invalidation(const Architecture& a) { return std::make_unique<Invalidations>(a); }
std::unique_ptr<Load> make_loose_hit(const Architecture& a) {
    return std::make_unique<LooseReads>(a, a.large_tlb, hit_pages, 0);
}
std::unique_ptr<Load> make_loose_miss(const Architecture& a) {
    return std::make_unique<LooseReads>(a, a.no_useful_caches, miss_pages, 3);
}

} // namespace iommusim::benchmark
