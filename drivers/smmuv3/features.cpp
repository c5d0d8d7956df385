#include "drivers/smmuv3/features.h"

#include "models/smmuv3/spec/registers.h"

#include <algorithm>

namespace iommusim::smmuv3_driver {

namespace spec = smmuv3::spec;

namespace {

constexpr unsigned arm = 0x43B;
constexpr unsigned mmu_600 = 0x483;
constexpr unsigned mmu_700 = 0x487;

/// Errata of Arm's own implementations that change what the driver may use.
void apply_errata(std::uint32_t iidr, Features& f) {
    if (spec::iidr::implementer.get(iidr) != arm)
        return;
    const auto product = spec::iidr::product_id.get(iidr);
    const auto variant = spec::iidr::variant.get(iidr);
    const auto revision = spec::iidr::revision.get(iidr);
    if (product == mmu_600 && variant == 0 && revision <= 2)
        f.event_wake = false;
    if (product == mmu_700)
        f.force_sync = true;
}

CompletionMode choose_completion(CompletionMode wanted, const Features& f) {
    const bool msi_possible = f.coherent && f.msi;
    switch (wanted) {
    case CompletionMode::automatic:
        return msi_possible   ? CompletionMode::msi
               : f.event_wake ? CompletionMode::event
                              : CompletionMode::consumer;
    case CompletionMode::msi:
        return msi_possible ? CompletionMode::msi : CompletionMode::consumer;
    case CompletionMode::event:
        return f.event_wake ? CompletionMode::event : CompletionMode::consumer;
    case CompletionMode::consumer:
        break;
    }
    return CompletionMode::consumer;
}

std::uint64_t page_sizes(std::uint32_t idr5) {
    std::uint64_t sizes = 0;
    if (spec::idr5::gran4k.get(idr5))
        sizes |= 1ull << 12 | 1ull << 21 | 1ull << 30;
    if (spec::idr5::gran16k.get(idr5))
        sizes |= 1ull << 14 | 1ull << 25;
    if (spec::idr5::gran64k.get(idr5))
        sizes |= 1ull << 16 | 1ull << 29;
    return sizes;
}

} // namespace

bool decide_features(const IdentificationRegisters& id, const Configuration& configuration, Features& f,
                     std::uint64_t& lacking) {
    const std::uint32_t idr0 = id.idr[0];
    const std::uint32_t idr1 = id.idr[1];
    const std::uint32_t idr3 = id.idr[3];
    const std::uint32_t idr5 = id.idr[5];

    f.stage1 = spec::idr0::s1p.get(idr0) != 0;
    f.stage2 = spec::idr0::s2p.get(idr0) != 0;
    f.coherent = spec::idr0::cohacc.get(idr0) != 0;
    f.msi = spec::idr0::msi.get(idr0) != 0;
    f.event_wake = spec::idr0::sev.get(idr0) != 0;
    f.hyp = spec::idr0::hyp.get(idr0) != 0;
    f.ats = spec::idr0::ats.get(idr0) != 0;
    f.pri = f.ats && spec::idr0::pri.get(idr0) != 0;
    f.asid_bits = spec::idr0::asid16.get(idr0) ? 16 : 8;
    f.two_level_streams = spec::idr0::st_level.get(idr0) == spec::idr0::st_level_two_level;
    f.two_level_contexts = spec::idr0::cd2l.get(idr0) != 0;
    const auto stall_model = spec::idr0::stall_model.get(idr0);
    f.can_stall = stall_model != spec::idr0::stall_model_terminate_only;
    f.force_stall = stall_model == spec::idr0::stall_model_stall_only;

    f.stream_bits =
        std::min(static_cast<unsigned>(spec::idr1::sidsize.get(idr1)), configuration.stream_id_bits);
    f.substream_bits =
        std::min(static_cast<unsigned>(spec::idr1::ssidsize.get(idr1)), configuration.substream_bits);
    f.command_queue_log2 =
        std::min(static_cast<unsigned>(spec::idr1::cmdqs.get(idr1)), configuration.queue_size_log2);
    f.event_queue_log2 =
        std::min(static_cast<unsigned>(spec::idr1::eventqs.get(idr1)), configuration.event_queue_size_log2);

    f.range_invalidation = spec::idr3::ril.get(idr3) != 0 && !configuration.force_no_range_invalidation;

    f.output_size_code = std::min(static_cast<unsigned>(spec::idr5::oas.get(idr5)), spec::size_code_48_bits);
    f.output_bits = spec::address_bits(f.output_size_code);
    f.page_sizes = page_sizes(idr5);

    apply_errata(id.iidr, f);
    f.force_sync = f.force_sync || configuration.force_sync;
    f.completion = choose_completion(configuration.completion, f);

    const auto endian = spec::idr0::ttendian.get(idr0);
    if (!f.stage1 || !(spec::idr0::ttf.get(idr0) & spec::idr0::ttf_aarch64) ||
        (endian != spec::idr0::ttendian_mixed && endian != spec::idr0::ttendian_little)) {
        lacking = spec::reg::idr0;
        return false;
    }
    if (spec::idr1::tables_preset.get(idr1) || spec::idr1::queues_preset.get(idr1) ||
        spec::idr1::rel.get(idr1) || f.command_queue_log2 <= 6) {
        lacking = spec::reg::idr1;
        return false;
    }
    if (!spec::idr5::gran4k.get(idr5)) {
        lacking = spec::reg::idr5;
        return false;
    }
    return true;
}

} // namespace iommusim::smmuv3_driver
