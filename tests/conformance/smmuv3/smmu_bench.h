// The bench of the SMMUv3 model: what software does with registers, structures and commands, as plain byte
// writes.
#pragma once

#include "models/smmuv3/interrupt_lines.h"
#include "models/smmuv3/smmuv3.h"
#include "tests/conformance/common/unit_bench.h"
#include "tests/conformance/smmuv3/structures.h"

#include <initializer_list>
#include <vector>

namespace iommusim::smmuv3::test {

using iommusim::test::Dma;
using iommusim::test::pattern;
using iommusim::test::RecordingProbe;
using iommusim::test::start_new_simulation;

struct BenchOptions : iommusim::test::UnitBenchOptions {
    BenchOptions() { parameters.substream_id_bits = 20; }
    Parameters parameters; ///< 20-bit substreams
    unsigned stream_table_log2 = 8;
    unsigned command_queue_log2 = 4;
    unsigned event_queue_log2 = 4;
    bool enable = true; ///< SMMUEN, CMDQEN and EVENTQEN at once
};

class SmmuBench final : public iommusim::test::UnitBench {
public:
    static constexpr std::uint64_t message_window = BenchOptions::default_message_window;

    explicit SmmuBench(const BenchOptions& options = {});

    void attach(Probe* observer) override { smmu.attach(observer); }
    ReferenceTranslator& reference() override { return smmu.reference(); }

    // ---- registers
    /// CR0, and runs until it is acknowledged.
    void set_cr0(std::uint64_t value);
    /// GBPA, and runs until the update is complete.
    void set_gbpa(std::uint64_t value);
    void enable_interrupts(std::uint64_t irq_ctrl);
    bool error_active(Field error);
    /// GERRORN takes GERROR's value.
    void acknowledge_errors() { write_register(spec::reg::gerrorn, read_register(spec::reg::gerror)); }
    static constexpr std::uint64_t all_enables =
        spec::cr0::smmuen.mask() | spec::cr0::eventqen.mask() | spec::cr0::cmdqen.mask();

    // ---- configuration structures
    std::uint64_t stream_table() const { return stream_table_; }
    std::uint64_t ste_address(std::uint32_t stream) const {
        return stream_table_ + stream * spec::ste::bytes;
    }
    void set_ste(std::uint32_t stream, const Ste& ste) { poke(ste_address(stream), ste); }
    /// A new context descriptor; returns its address.
    std::uint64_t new_cd(const Cd& cd);
    /// STE and CD of a stream that is translated by the table at `root`. Returns the address of the CD.
    std::uint64_t attach(std::uint32_t stream, std::uint64_t root, std::uint64_t asid, unsigned t0sz = 16);

    // ---- commands
    std::uint64_t command_queue() const { return command_queue_; }
    std::uint64_t command_slot(std::uint32_t position) const;
    std::uint32_t producer() const { return producer_; }
    std::uint32_t consumer() {
        return static_cast<std::uint32_t>(spec::cmdq_cons::rd.get(read_register(spec::reg::cmdq_cons)));
    }
    unsigned command_error() {
        return static_cast<unsigned>(spec::cmdq_cons::err.get(read_register(spec::reg::cmdq_cons)));
    }
    /// Puts a command into the queue, without the doorbell. The caller minds that there is room.
    void queue(const Command& command);
    void doorbell() { write_register(spec::reg::cmdq_prod, producer_); }
    void submit(const Command& command) {
        queue(command);
        doorbell();
    }
    /// Queues, rings and runs until nothing moves any more.
    void execute(std::initializer_list<Command> commands);
    void execute(const Command& command) { execute({command}); }
    /// execute(command, CMD_SYNC).
    void execute_and_sync(const Command& command) { execute({command, sync()}); }

    // ---- events
    std::uint64_t event_queue() const { return event_queue_; }
    std::uint32_t event_producer();
    std::uint32_t event_consumer();
    bool overflow_active();
    /// Takes all records out of the queue, as software does, overflow acknowledged.
    std::vector<Event> take_events();

    // ---- devices
    static Requester stream(std::uint32_t id) { return iommusim::test::requester(id); }
    static Requester substream(std::uint32_t id, std::uint32_t substream) {
        return iommusim::test::requester(id, substream);
    }

private:
    Counters counters() const override { return smmu.statistics().counters; }

public:
    const BenchOptions options;
    Smmuv3 smmu;

private:
    std::uint64_t stream_table_ = 0;
    std::uint64_t command_queue_ = 0;
    std::uint64_t event_queue_ = 0;
    std::uint32_t producer_ = 0;
};

/// Translation tables of one half, written descriptor by descriptor.
class PageTable {
public:
    /// `input_bits` is 64 - TxSZ.
    explicit PageTable(SmmuBench& bench, unsigned input_bits = 48);

    std::uint64_t root() const { return root_; }
    unsigned start_level() const { return start_; }

    /// Maps the page or block of `level` at `address`; returns where its descriptor is. `attributes` are
    /// descriptor bits other than type and address.
    std::uint64_t map(std::uint64_t address, std::uint64_t output, unsigned level = 3,
                      std::uint64_t attributes = leaf_rw);
    /// 16 adjacent descriptors with the Contiguous bit, from an address aligned to the group.
    void map_contiguous(std::uint64_t address, std::uint64_t output, unsigned level = 3);
    /// Clears the leaf descriptor.
    void unmap(std::uint64_t address, unsigned level = 3) {
        bench_.poke(descriptor_address(address, level), 0);
    }
    /// Where the descriptor of `level` for `address` is; makes the tables above it. `table_attributes` are
    /// put into table descriptors that are made on the way.
    std::uint64_t descriptor_address(std::uint64_t address, unsigned level,
                                     std::uint64_t table_attributes = 0);

    static constexpr std::uint64_t size_of(unsigned level) { return 1ull << (12 + 9 * (3 - level)); }

private:
    SmmuBench& bench_;
    unsigned input_bits_;
    unsigned start_;
    std::uint64_t root_;
};

} // namespace iommusim::smmuv3::test
