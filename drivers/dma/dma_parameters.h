// Costs and sizes of the DMA layer, and its vocabulary.
#pragma once

#include "models/base/parameters.h"

#include <cstdint>
#include <vector>

namespace iommusim::dma {

enum class Policy {
    strict, ///< unmap invalidates and waits
    lazy,   ///< unmap queues; a later flush of the whole domain covers many unmaps
    none,   ///< no translation: the device uses physical addresses
};

/// As seen from memory: to_device is read by the device.
enum class Direction { to_device, from_device, bidirectional };

struct DmaParameters {
    DmaParameters() { set_defaults(*this); }
    static const std::vector<Parameter<DmaParameters>>& table();

    std::uint64_t map_call;            ///< fixed CPU time of a map call, ps
    std::uint64_t unmap_call;          ///< fixed CPU time of an unmap call, ps
    std::uint64_t page_split;          ///< choice: runs | single-pages, see PageSplit
    std::uint64_t flush_queue_size;    ///< slots per CPU; one always stays empty
    std::uint64_t flush_queue_timeout; ///< from the first queued unmap to the timer's flush, ps
    std::uint64_t flush_queue_entry;   ///< CPU time to fill or to release a slot, ps
};

} // namespace iommusim::dma
