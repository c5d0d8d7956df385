// Registers of the DMA engine: a device of our own, so that driver software can run DMA jobs the way it
// drives a real device. All registers are 64 bits wide, little-endian, and may be accessed as aligned 64-bit
// words or as 32-bit halves; all read 0 after reset unless said otherwise. Layouts only; C++17.
//
// A job: write the description, then CONTROL with `go` set. `busy` reads 1 until the last access has
// completed; then `done` is set, `error` too if any access failed, returned wrong data or the description was
// illegal, and one edge is sent on interrupt line 0 if `interrupt_enable` is set. The description may be
// changed while a job runs; it is read at `go`. `go` while busy is ignored.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::soc::dma_engine {

inline constexpr std::uint64_t register_space =
    0x1000; ///< bytes; what is not listed below reads 0, ignores writes

namespace reg {
inline constexpr std::uint64_t id = 0x00; ///< read-only: id_value
inline constexpr std::uint64_t control = 0x08;
inline constexpr std::uint64_t status = 0x10;
inline constexpr std::uint64_t base = 0x18;           ///< first address
inline constexpr std::uint64_t window = 0x20;         ///< bytes, patterns ring and random
inline constexpr std::uint64_t length = 0x28;         ///< bytes per access, 1 to 1 MiB
inline constexpr std::uint64_t stride = 0x30;         ///< bytes from slot to slot, 0 = length
inline constexpr std::uint64_t count = 0x38;          ///< accesses, 0 = until stopped
inline constexpr std::uint64_t outstanding = 0x40;    ///< 1 to 65536; 0 counts as 1
inline constexpr std::uint64_t interval = 0x48;       ///< ps from issue to issue, 0 = as fast as possible
inline constexpr std::uint64_t address_seed = 0x50;   ///< pattern random
inline constexpr std::uint64_t data_seed = 0x58;      ///< of written and expected data
inline constexpr std::uint64_t pasid = 0x60;          ///< valid if CONTROL.has_pasid
inline constexpr std::uint64_t completed = 0x68;      ///< read-only: accesses of the current or last job
inline constexpr std::uint64_t errors = 0x70;         ///< read-only: ... that failed
inline constexpr std::uint64_t mismatches = 0x78;     ///< read-only: ... that returned wrong data
inline constexpr std::uint64_t first_mismatch = 0x80; ///< read-only: address of the first of these
inline constexpr std::uint64_t last = first_mismatch;
} // namespace reg

inline constexpr std::uint64_t id_value = 0x0001'0000'616d'6431; ///< version 1, "1dma"

namespace control {
inline constexpr Field go = bit(0);   ///< reads 0
inline constexpr Field stop = bit(1); ///< reads 0; the job ends when its outstanding accesses have completed
inline constexpr Field direction = bits(3, 2); ///< 0 read, 1 write, 2 alternating
inline constexpr Field pattern = bits(6, 4);   ///< 0 sequential, 1 strided, 2 ring, 3 random
inline constexpr Field interrupt_enable = bit(8);
inline constexpr Field check = bit(9);      ///< reads are compared with the pattern of DATA_SEED
inline constexpr Field has_pasid = bit(10); ///< accesses carry PASID
inline constexpr Field privileged = bit(11);
} // namespace control

namespace status {
inline constexpr Field busy = bit(0);  ///< read-only
inline constexpr Field done = bit(1);  ///< write 1 to clear
inline constexpr Field error = bit(2); ///< write 1 to clear
} // namespace status

} // namespace iommusim::soc::dma_engine
