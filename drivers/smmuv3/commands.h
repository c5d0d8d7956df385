// The commands this driver issues, built from the architecture's layouts.
#pragma once

#include "drivers/smmuv3/tlbi_range.h"
#include "models/smmuv3/spec/commands.h"
#include "models/smmuv3/spec/registers.h"

#include <cstdint>

namespace iommusim::smmuv3_driver {

/// One queue entry as it stands in memory. Not initialised by default: batches of them live on the stack.
struct Command {
    std::uint64_t words[smmuv3::spec::command::words];
};

namespace make {

namespace spec = smmuv3::spec;

inline Command of(unsigned opcode) {
    Command c{};
    spec::command::opcode.set(c.words, opcode);
    return c;
}

inline Command for_stream(unsigned opcode, std::uint32_t stream_id) {
    Command c = of(opcode);
    spec::command::stream_id.set(c.words, stream_id);
    return c;
}

/// Drops the cached STE of a stream (and its CDs); `leaf` false: also the level-1 descriptor that leads to
/// it.
inline Command cfgi_ste(std::uint32_t stream_id, bool leaf) {
    Command c = for_stream(spec::opcode::cfgi_ste, stream_id);
    spec::cfgi::leaf.set(c.words, leaf);
    return c;
}

inline Command cfgi_all() {
    Command c = of(spec::opcode::cfgi_ste_range);
    spec::cfgi::range.set(c.words, spec::cfgi::range_all);
    return c;
}

inline Command cfgi_cd(std::uint32_t stream_id, std::uint32_t substream_id, bool leaf) {
    Command c = for_stream(spec::opcode::cfgi_cd, stream_id);
    spec::command::substream_id.set(c.words, substream_id);
    spec::cfgi::leaf.set(c.words, leaf);
    return c;
}

inline Command prefetch_config(std::uint32_t stream_id) {
    return for_stream(spec::opcode::prefetch_config, stream_id);
}

inline Command tlbi_asid(unsigned asid) {
    Command c = of(spec::opcode::tlbi_nh_asid);
    spec::tlbi::asid.set(c.words, asid);
    return c;
}

inline Command tlbi_va(unsigned asid, bool leaf, const TlbiPiece& piece) {
    Command c = of(spec::opcode::tlbi_nh_va);
    spec::tlbi::asid.set(c.words, asid);
    spec::tlbi::num.set(c.words, piece.num);
    spec::tlbi::scale.set(c.words, piece.scale);
    spec::tlbi::ttl.set(c.words, piece.ttl);
    spec::tlbi::tg.set(c.words, piece.tg);
    spec::tlbi::leaf.set(c.words, leaf);
    c.words[spec::tlbi::address.word()] |= spec::tlbi::address.in_place(piece.address);
    return c;
}

/// Resumes or terminates one stalled transaction.
inline Command resume(std::uint32_t stream_id, unsigned stag, bool retry) {
    Command c = for_stream(spec::opcode::resume, stream_id);
    spec::resume::action.set(c.words, retry);
    spec::resume::abort.set(c.words, !retry);
    spec::resume::stag.set(c.words, stag);
    return c;
}

/// CMD_SYNC with a completion signal; `msi_address` is used by cs_irq only, its data is 0.
inline Command sync(std::uint64_t signal, std::uint64_t msi_address) {
    Command c = of(spec::opcode::sync);
    spec::sync::cs.set(c.words, signal);
    if (signal == spec::sync::cs_irq) {
        spec::sync::msh.set(c.words, spec::shareability::inner_shareable);
        spec::sync::msi_attr.set(c.words, spec::memattr::normal_write_back);
        c.words[spec::sync::msi_addr.word()] |= spec::sync::msi_addr.in_place(msi_address);
    }
    return c;
}

} // namespace make

} // namespace iommusim::smmuv3_driver
