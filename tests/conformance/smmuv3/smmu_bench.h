// A bench for the SMMUv3 model: memory behind an interconnect that the unit's own accesses, device traffic
// and MSI writes share, a DMA master per device port, an interrupt sink, and helpers that play the software's
// part with plain byte writes. The bench never uses the drivers.
#pragma once

#include "models/core/probe.h"
#include "models/smmuv3/interrupt_lines.h"
#include "models/smmuv3/smmuv3.h"
#include "models/soc/dma_master.h"
#include "models/soc/interconnect.h"
#include "models/soc/interrupt_sink.h"
#include "models/soc/memory.h"
#include "tests/conformance/smmuv3/structures.h"

#include <cstring>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace iommusim::smmuv3::test {

/// Remembers everything that the model reports.
struct RecordingProbe : Probe {
    struct Observed {
        TranslationUse use;
        Picoseconds when;
    };
    struct Diagnostic {
        Picoseconds when;
        std::string what;
    };

    void on_translation(const TranslationUse& use) override { translations.push_back(use); }
    void on_observable(const TranslationUse& use, Picoseconds when) override {
        observed.push_back({use, when});
    }
    void on_fault(const TranslationFault& fault) override { faults.push_back(fault); }
    void on_invalidation(const InvalidationEffect& effect) override {
        invalidations.push_back(effect);
        if (at_invalidation)
            at_invalidation(effect);
    }
    void on_doorbell(const DoorbellEvent& doorbell) override { doorbells.push_back(doorbell); }
    void on_command(const CommandEvent& command) override { commands.push_back(command); }
    void on_stall(const StallEvent& stall) override { stalls.push_back(stall); }
    void on_diagnostic(Picoseconds when, const char* what) override { diagnostics.push_back({when, what}); }

    std::vector<TranslationUse> translations;
    std::vector<Observed> observed;
    std::vector<TranslationFault> faults;
    std::vector<InvalidationEffect> invalidations;
    std::vector<DoorbellEvent> doorbells;
    std::vector<CommandEvent> commands;
    std::vector<StallEvent> stalls;
    std::vector<Diagnostic> diagnostics;
    std::function<void(const InvalidationEffect&)> at_invalidation;
};

/// One DMA of the approximately-timed kind, under way or finished.
struct Dma : private soc::DmaListener {
    bool finished = false;
    tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
    std::vector<std::uint8_t> data; ///< to be written, or as read
    Picoseconds issued = 0;
    Picoseconds completed = 0;

    bool ok() const { return finished && status == tlm::TLM_OK_RESPONSE; }
    Picoseconds latency() const { return completed - issued; }

private:
    friend class SmmuBench;
    void on_dma_access(const soc::DmaAccess& access) override {
        finished = true;
        status = access.status;
        issued = access.issued;
        completed = access.completed;
        if (!access.write)
            data.assign(access.data, access.data + access.length);
    }
};

struct BenchOptions {
    BenchOptions();
    Parameters parameters;        ///< small queues, 20-bit substreams
    soc::MemoryParameters memory; ///< 48 GiB
    soc::InterconnectParameters interconnect;
    unsigned stream_table_log2 = 8;
    unsigned command_queue_log2 = 4;
    unsigned event_queue_log2 = 4;
    bool enable = true; ///< SMMUEN, CMDQEN and EVENTQEN at once
    /// In place of the interconnect and of the DMA master, for units with one port.
    tlm::tlm_target_socket<>* device_memory = nullptr;
    tlm::tlm_initiator_socket<>* device = nullptr;
};

class SmmuBench {
public:
    static constexpr std::uint64_t message_window = 0x10'0000'0000;
    static constexpr std::uint64_t message_window_bytes = 0x1'0000;

    explicit SmmuBench(const BenchOptions& options = {});
    ~SmmuBench();
    SmmuBench(const SmmuBench&) = delete;

    // ---- simulated time
    /// Runs until nothing moves any more.
    void settle();
    void run_for(Picoseconds time);

    // ---- registers
    std::uint64_t read_register(std::uint64_t offset, unsigned bytes = 4);
    void write_register(std::uint64_t offset, std::uint64_t value, unsigned bytes = 4);
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

    // ---- memory
    std::uint64_t allocate(std::uint64_t bytes, std::uint64_t alignment = 64);
    void poke(std::uint64_t address, std::uint64_t value) {
        std::memcpy(memory.bytes() + address, &value, 8);
    }
    std::uint64_t peek(std::uint64_t address) const;
    template <std::size_t N> void poke(std::uint64_t address, const Words<N>& structure) {
        std::memcpy(memory.bytes() + address, structure.words.data(), sizeof structure.words);
    }
    soc::FaultInjector& faults() { return memory.fault_injector(); }

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

    // ---- DMA
    static Requester stream(std::uint32_t id);
    static Requester substream(std::uint32_t id, std::uint32_t substream);
    /// Starts a timed DMA; the result stays valid as long as the bench.
    Dma& begin_read(const Requester& requester, std::uint64_t address, unsigned length = 64,
                    unsigned port = 0);
    Dma& begin_write(const Requester& requester, std::uint64_t address, std::vector<std::uint8_t> data,
                     unsigned port = 0);
    /// The same, and runs until nothing moves any more.
    Dma& read(const Requester& requester, std::uint64_t address, unsigned length = 64, unsigned port = 0);
    Dma& write(const Requester& requester, std::uint64_t address, std::vector<std::uint8_t> data,
               unsigned port = 0);
    /// A loosely-timed one; Dma::latency() is what was annotated.
    Dma& read_loosely(const Requester& requester, std::uint64_t address, unsigned length = 64,
                      unsigned port = 0);
    Dma& write_loosely(const Requester& requester, std::uint64_t address, std::vector<std::uint8_t> data,
                       unsigned port = 0);
    /// Reads the 8-byte word at `address`; the test checks the status through the last DMA.
    std::uint64_t read_word(const Requester& requester, std::uint64_t address);
    /// Which structure served a read of `address`: "walk", "main TLB", ...; empty if it was refused.
    std::string served_by(const Requester& requester, std::uint64_t address, unsigned port = 0);
    /// Starts a program in an SC_THREAD.
    void spawn(std::function<void()> program);

    std::uint64_t counter(const std::string& name) const;

private:
    struct RegisterMaster;
    Dma& transfer(bool write, const Requester& requester, std::uint64_t address,
                  std::vector<std::uint8_t> data, unsigned port);
    static BenchOptions checked(BenchOptions options);

public:
    const BenchOptions options;
    soc::Memory memory;
    soc::InterruptSink sink;
    Smmuv3 smmu;
    soc::Interconnect bus;
    std::deque<soc::DmaMaster> masters;
    RecordingProbe probe;

private:
    std::unique_ptr<RegisterMaster> registers_;
    std::deque<Dma> dmas_;
    std::uint64_t next_free_ = 0x100'0000;
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

/// For tests that need more than one simulation: forgets the last one, whose bench is gone.
inline void start_new_simulation() { sc_core::sc_curr_simcontext = nullptr; }

/// `size` bytes that differ from each other and from those of other seeds.
std::vector<std::uint8_t> pattern(std::uint8_t seed, std::size_t size = 64);

} // namespace iommusim::smmuv3::test
