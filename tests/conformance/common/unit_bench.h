// The bench around an IOMMU of any architecture: memory behind an interconnect that the unit's own accesses,
// device traffic and messages share, a DMA master per device port, an interrupt sink, a master that plays the
// CPU on the register socket. The architecture's bench owns the unit, connects it, and adds registers,
// structures and commands as software writes them. A bench never uses the drivers.
#pragma once

#include "models/core/interrupt.h"
#include "models/core/requester.h"
#include "models/core/translation.h"
#include "models/soc/device_tlb.h"
#include "models/soc/dma_master.h"
#include "models/soc/interconnect.h"
#include "models/soc/interrupt_sink.h"
#include "models/soc/memory.h"
#include "tests/conformance/common/recording_probe.h"
#include "tests/conformance/common/words.h"

#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace iommusim::test {

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
    friend class UnitBench;
    void on_dma_access(const soc::DmaAccess& access) override;
};

struct UnitBenchOptions {
    static constexpr std::uint64_t default_message_window = 0x10'0000'0000;

    UnitBenchOptions();
    soc::MemoryParameters memory; ///< 48 GiB; what lies under the message window is not reachable
    soc::InterconnectParameters interconnect;
    std::uint64_t message_window = default_message_window; ///< bus address of the interrupt messages
    std::uint64_t message_window_bytes = 0x1'0000;
    /// In place of the interconnect and of the DMA master, for units with one port.
    tlm::tlm_target_socket<>* device_memory = nullptr;
    tlm::tlm_initiator_socket<>* device = nullptr;
};

class UnitBench {
public:
    /// allocate() starts here and goes up; what lies below is the test's.
    static constexpr std::uint64_t first_allocated = 0x100'0000;

    virtual ~UnitBench();
    UnitBench(const UnitBench&) = delete;
    UnitBench& operator=(const UnitBench&) = delete;

    // ---- the unit under test
    /// Reports everything to `observer` from now on, in place of `probe`.
    virtual void attach(Probe* observer) = 0;
    virtual ReferenceTranslator& reference() = 0;
    /// A counter of the unit's statistics; a name that it does not have is a fatal report.
    std::uint64_t counter(const std::string& name) const;

    // ---- simulated time
    /// Runs until nothing moves any more.
    void settle();
    void run_for(Picoseconds time);
    /// Starts a program in an SC_THREAD.
    void spawn(std::function<void()> program);

    // ---- registers
    std::uint64_t read_register(std::uint64_t offset, unsigned bytes = 4);
    void write_register(std::uint64_t offset, std::uint64_t value, unsigned bytes = 4);

    // ---- memory
    std::uint64_t allocate(std::uint64_t bytes, std::uint64_t alignment = 64);
    void poke(std::uint64_t address, std::uint64_t value) {
        std::memcpy(memory.bytes() + address, &value, sizeof value);
    }
    std::uint64_t peek(std::uint64_t address) const;
    template <std::size_t N> void poke(std::uint64_t address, const Words<N>& structure) {
        std::memcpy(memory.bytes() + address, structure.words.data(), sizeof structure.words);
    }
    template <std::size_t N> Words<N> peek_words(std::uint64_t address) const {
        Words<N> structure;
        std::memcpy(structure.words.data(), memory.bytes() + address, sizeof structure.words);
        return structure;
    }
    soc::FaultInjector& faults() { return memory.fault_injector(); }

    // ---- DMA
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
    /// Reads the 8-byte word at `address`; 0 if the DMA is refused.
    std::uint64_t read_word(const Requester& requester, std::uint64_t address);
    /// Which structure served a read of `address`: "walk", "main TLB", ...; empty if it was refused.
    std::string served_by(const Requester& requester, std::uint64_t address, unsigned port = 0);

protected:
    using Counters = std::vector<std::pair<std::string, std::uint64_t>>;

    UnitBench(const UnitBenchOptions& options, unsigned device_ports);

    /// Connects the unit, attaches `probe` to it, and elaborates. Once, in the constructor of the
    /// architecture's bench. `device_tlb` comes between the master of port 0 and the unit.
    template <class Unit> void connect(Unit& unit, soc::DeviceTlb* device_tlb = nullptr) {
        bind_registers(unit.registers);
        if constexpr (requires { unit.interrupts; })
            unit.interrupts.bind(sink);
        unit.walker().bind(bus.upstream[0]);
        for (unsigned port = 0; port < device_ports_; ++port)
            bind_port(port, unit.device(port), unit.memory(port), port == 0 ? device_tlb : nullptr);
        unit.attach(&probe);
        elaborate();
    }
    /// Those of the unit's statistics.
    virtual Counters counters() const = 0;

private:
    class RegisterMaster;
    void bind_registers(tlm::tlm_target_socket<>& registers);
    void bind_port(unsigned port, tlm::tlm_target_socket<>& device,
                   tlm::tlm_initiator_socket<>& device_memory, soc::DeviceTlb* device_tlb);
    static void elaborate();
    Dma& transfer(bool write, const Requester& requester, std::uint64_t address,
                  std::vector<std::uint8_t> data, unsigned port);

    unsigned device_ports_;
    tlm::tlm_target_socket<>* foreign_memory_;
    tlm::tlm_initiator_socket<>* foreign_device_;

public:
    soc::Memory memory;
    soc::InterruptSink sink;
    soc::Interconnect bus;
    std::deque<soc::DmaMaster> masters;
    RecordingProbe probe;

private:
    std::unique_ptr<RegisterMaster> registers_;
    std::deque<Dma> dmas_;
    std::uint64_t next_free_ = first_allocated;
};

/// A device without PASID.
Requester requester(std::uint32_t id);
/// A device's process.
Requester requester(std::uint32_t id, std::uint32_t pasid);

/// For tests that need more than one simulation: forgets the last one, whose bench is gone.
void start_new_simulation();

/// `size` bytes that differ from each other and from those of other seeds.
std::vector<std::uint8_t> pattern(std::uint8_t seed, std::size_t size = 64);

} // namespace iommusim::test
