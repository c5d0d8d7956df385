// SMMUv3 structures as software would write them: stream table entries, context descriptors, commands,
// events. Plain words, independent of the drivers.
#pragma once

#include "models/smmuv3/spec/commands.h"
#include "models/smmuv3/spec/context_descriptor.h"
#include "models/smmuv3/spec/events.h"
#include "models/smmuv3/spec/registers.h"
#include "models/smmuv3/spec/stream_table.h"
#include "models/smmuv3/spec/translation_table.h"
#include "tests/conformance/common/words.h"

#include <cstdint>

namespace iommusim::smmuv3::test {

using iommusim::test::Words;

using Ste = Words<spec::ste::words>;
using Cd = Words<spec::cd::words>;
using Command = Words<spec::command::words>;
using Event = Words<spec::event::words>;

inline Ste ste_abort() {
    return Ste().with(spec::ste::v, 1).with(spec::ste::config, spec::ste::config_abort);
}
inline Ste ste_bypass() {
    return Ste().with(spec::ste::v, 1).with(spec::ste::config, spec::ste::config_bypass);
}
inline Ste ste_stage_1(std::uint64_t context_descriptor) {
    return Ste()
        .with(spec::ste::v, 1)
        .with(spec::ste::config, spec::ste::config_stage_1)
        .at(spec::ste::s1_context_ptr, context_descriptor);
}

/// A valid CD with the lower half at `table`, the upper half disabled, faults aborted and recorded.
inline Cd cd_for(std::uint64_t table, std::uint64_t asid, unsigned t0sz = 16) {
    return Cd()
        .with(spec::cd::v, 1)
        .with(spec::cd::aa64, 1)
        .with(spec::cd::t0sz, t0sz)
        .with(spec::cd::tg0, spec::cd::tg0_4k)
        .with(spec::cd::epd1, 1)
        .with(spec::cd::ips, spec::size_code_48_bits)
        .with(spec::cd::a, 1)
        .with(spec::cd::r, 1)
        .with(spec::cd::asid, asid)
        .at(spec::cd::ttb0, table);
}

inline Command command(unsigned op) { return Command().with(spec::command::opcode, op); }
inline Command sync(std::uint64_t cs = spec::sync::cs_none) {
    return command(spec::opcode::sync).with(spec::sync::cs, cs);
}
inline Command sync_msi(std::uint64_t address, std::uint32_t data) {
    return sync(spec::sync::cs_irq).at(spec::sync::msi_addr, address).with(spec::sync::msi_data, data);
}
inline Command tlbi_all() { return command(spec::opcode::tlbi_nh_all); }
inline Command tlbi_asid(std::uint64_t asid) {
    return command(spec::opcode::tlbi_nh_asid).with(spec::tlbi::asid, asid);
}
inline Command tlbi_va(std::uint64_t asid, std::uint64_t address, bool leaf = true) {
    return command(spec::opcode::tlbi_nh_va)
        .with(spec::tlbi::asid, asid)
        .with(spec::tlbi::leaf, leaf)
        .at(spec::tlbi::address, address);
}
inline Command tlbi_vaa(std::uint64_t address, bool leaf = true) {
    return command(spec::opcode::tlbi_nh_vaa).with(spec::tlbi::leaf, leaf).at(spec::tlbi::address, address);
}
/// (num + 1) * 2^scale pages of 4 KiB from `address`.
inline Command tlbi_range(std::uint64_t asid, std::uint64_t address, unsigned num, unsigned scale,
                          unsigned ttl = 0, bool leaf = true) {
    return tlbi_va(asid, address, leaf)
        .with(spec::tlbi::tg, spec::tlbi::tg_4k)
        .with(spec::tlbi::num, num)
        .with(spec::tlbi::scale, scale)
        .with(spec::tlbi::ttl, ttl);
}
inline Command cfgi_ste(std::uint32_t stream, bool leaf = true) {
    return command(spec::opcode::cfgi_ste)
        .with(spec::command::stream_id, stream)
        .with(spec::cfgi::leaf, leaf);
}
inline Command cfgi_ste_range(std::uint32_t stream, unsigned range) {
    return command(spec::opcode::cfgi_ste_range)
        .with(spec::command::stream_id, stream)
        .with(spec::cfgi::range, range);
}
inline Command cfgi_all() { return cfgi_ste_range(0, spec::cfgi::range_all); }
inline Command cfgi_cd(std::uint32_t stream, std::uint32_t substream = 0) {
    return command(spec::opcode::cfgi_cd)
        .with(spec::command::stream_id, stream)
        .with(spec::command::substream_id, substream)
        .with(spec::cfgi::leaf, 1);
}
inline Command cfgi_cd_all(std::uint32_t stream) {
    return command(spec::opcode::cfgi_cd_all).with(spec::command::stream_id, stream);
}

/// Descriptor bits of an ordinary leaf: accessed, not global, everybody may read and write.
inline constexpr std::uint64_t leaf_rw = spec::stage1_leaf::af.make(1) | spec::stage1_leaf::ng.make(1) |
                                         spec::stage1_leaf::ap.make(spec::stage1_leaf::ap_any_rw);
inline constexpr std::uint64_t leaf_ro = spec::stage1_leaf::af.make(1) | spec::stage1_leaf::ng.make(1) |
                                         spec::stage1_leaf::ap.make(spec::stage1_leaf::ap_any_ro);
inline constexpr std::uint64_t leaf_global = leaf_rw & ~spec::stage1_leaf::ng.mask();

} // namespace iommusim::smmuv3::test
