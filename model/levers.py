"""Every lever a policy may set. A field's default is neutral; ranges are what a policy could order."""

from __future__ import annotations

from dataclasses import dataclass

from model.errors import InputError, unknown
from model.policy import Lever, district_names, setting
from model.region import Region


@dataclass(frozen=True, kw_only=True)
class EducationGroups(Lever):
    """教育集团: a strong lead school and up to ten members exchange heads, teachers and methods."""

    NAME, TITLE_ZH = "education_groups", "教育集团"
    coverage: float = setting(
        0.0, "share of eligible schools inside groups once formed", "入集团学校比例", "share", 0, 1
    )
    count: int = setting(0, "groups to be formed (instead of coverage)", "集团数", "groups", 0, 1000)
    members: int = setting(4, "members a group, without its lead (with count)", "每集团成员校数", "schools", 1, 10)
    max_members: int = setting(10, "most members a group may have", "成员校上限", "schools", 1, 30)
    managers_exchanged: float = setting(0.0, "managers a group exchanges a year", "每年交流管理干部", "persons", 0, 5)
    teachers_exchanged: float = setting(
        0.0, "pairs of teachers a member exchanges with its lead a year", "每成员校每年交流教师对数", "pairs", 0, 10
    )
    shared_pe_art: float = setting(
        0.0, "PE and art lessons a lead gives each member, as full-time teachers", "共享体艺教师", "teachers", 0, 3
    )
    integrated: bool = setting(False, "one legal person (loose union otherwise)", "单法人一体化")
    leads: tuple[str, ...] = setting((), "schools that lead, by name; others by reputation after them", "牵头校")
    across_districts: bool = setting(False, "members may lie in another district than their lead", "可跨区组建")
    backbones_first: bool = setting(False, "of the teachers exchanged, backbones go first", "优先交流骨干教师")
    trained_years: int = setting(
        0, "years new teachers of members train with the lead", "新教师跟岗培训年数", "years", 0, 3
    )
    lead_posts: float = setting(
        0.0, "posts a lead is due for each member, inside the quota", "每成员校增核牵头校编制", "posts", 0, 3
    )
    municipal: int = setting(0, "groups of municipal level", "市级优质集团数", "groups", 0, 1000)
    cards: bool = setting(False, "yellow and red cards for groups without effect", "黄牌红牌")
    incubation: bool = setting(False, "a member grown strong leaves and keeps its name", "孵化退出")
    yuan_per_member: float = setting(0.0, "running money a member a year", "每成员校年经费", "yuan", 0, 2e6)

    def check_names(self, region: Region) -> None:
        """Leads are schools of the region; how many groups is said in one way."""
        if self.coverage > 0 and self.count > 0:
            raise InputError("policies.education_groups", "both coverage and count", "one of the two")
        names = [str(name) for name in region.schools.name]
        for lead in self.leads:
            if lead not in names:
                raise unknown("policies.education_groups.leads", "school", lead, names)


@dataclass(frozen=True, kw_only=True)
class UrbanRuralPairs(Lever):
    """城乡学校帮扶共同体: an urban or strong school helps a village or weak one."""

    NAME, TITLE_ZH = "urban_rural_pairs", "城乡学校结对帮扶"
    coverage: float = setting(
        0.0, "share of village and weak schools that are paired", "乡村和薄弱校结对比例", "share", 0, 1
    )
    seconded_per_pair: float = setting(
        0.0, "teachers seconded to the helped school at a time", "每对派出教师", "teachers", 0, 5
    )
    term_years: int = setting(1, "length of a secondment", "支教年限", "years", 1, 6)
    yuan_per_pair: float = setting(0.0, "running money a pair a year", "每对年经费", "yuan", 0, 1e6)


@dataclass(frozen=True, kw_only=True)
class RegionalCommunities(Lever):
    """区域教育发展共同体: schools of a strong district (or the town) help those of a weaker one."""

    NAME, TITLE_ZH = "regional_communities", "区域教育发展共同体"
    pairs: tuple[str, ...] = setting((), "districts tied, each as 'helper-helped'", "结对区县")
    schools_per_pair: int = setting(0, "schools tied in each community", "每共同体结对学校数", "schools", 0, 100)
    seconded_per_school: float = setting(
        0.0, "teachers seconded to each helped school at a time", "每校派出教师", "teachers", 0, 5
    )
    term_years: int = setting(1, "length of a secondment", "支教年限", "years", 1, 6)
    yuan_per_pair: float = setting(0.0, "running money a school helped a year", "每对学校年经费", "yuan", 0, 2e6)

    def check_names(self, region: Region) -> None:
        """Each pair names two districts of the region."""
        names, where = district_names(region), "policies.regional_communities.pairs"
        for pair in self.pairs:
            helper, dash, helped = pair.partition("-")
            if not dash:
                raise InputError(where, repr(pair), "two districts, 'helper-helped'")
            for district in (helper, helped):
                if district not in names:
                    raise unknown(where, "district", district, names)


@dataclass(frozen=True, kw_only=True)
class CooperativeSchools(Lever):
    """合作共建学校: a school run with a strong parent, whose new teachers train there first."""

    NAME, TITLE_ZH = "cooperative_schools", "合作共建学校"
    count: int = setting(0, "cooperative schools (a goal)", "合作共建学校数", "schools", 0, 200)
    trained_years: int = setting(0, "years new teachers train at the parent", "新教师涵养培训年数", "years", 0, 3)
    seconded_per_school: float = setting(
        0.0, "teachers and managers seconded by the parent", "派出干部教师", "teachers", 0, 10
    )
    yuan_per_school: float = setting(
        0.0, "what the host district pays for a school a year", "每校年合作经费", "yuan", 0, 2e7
    )


@dataclass(frozen=True, kw_only=True)
class SchoolZones(Lever):
    """学区化办学: neighbouring schools research lessons together and share venues."""

    NAME, TITLE_ZH = "school_zones", "学区化办学"
    WHOLE_REGION = True
    coverage: float = setting(0.0, "share of schools inside working zones", "纳入学区比例", "share", 0, 1)
    joint_research: float = setting(
        0.0, "intensity of joint lesson research (1: weekly)", "联合教研强度", "index", 0, 1
    )
    shared_venues: float = setting(
        0.0, "share of a neighbour's spare sports area that counts", "场馆共享比例", "share", 0, 1
    )
    yuan_per_school: float = setting(0.0, "running money a school a year", "每校年经费", "yuan", 0, 1e6)
    model_zones: int = setting(0, "zones named models once they have ripened", "示范学区数", "zones", 0, 1000)


@dataclass(frozen=True, kw_only=True)
class DigitalResources(Lever):
    """数字教育资源: lessons by stronger teachers over the network."""

    NAME, TITLE_ZH = "digital_resources", "数字教育资源"
    coverage: float = setting(0.0, "share of schools that use them", "覆盖学校比例", "share", 0, 1)
    use: float = setting(0.0, "share of lessons that use them once they run", "使用课时比例", "share", 0, 1)


@dataclass(frozen=True, kw_only=True)
class TeacherRotation(Lever):
    """教师交流轮岗: teachers of a stronger and a weaker school change places for a term."""

    NAME, TITLE_ZH = "teacher_rotation", "教师交流轮岗"
    share_of_eligible: float = setting(
        0.0, "eligible teachers who move each year", "每年轮岗占符合条件教师比例", "share", 0, 0.5
    )
    backbone_share: float = setting(0.0, "share of backbones among those who move", "轮岗教师中骨干比例", "share", 0, 1)
    eligible_after_years: int = setting(
        6, "years in one school before a teacher is eligible", "同校任教满年限", "years", 1, 12
    )
    term_years: int = setting(3, "years away", "轮岗年限", "years", 1, 9)
    keeps_post: bool = setting(True, "the post stays at the sending school", "保留原校编制")
    scope: str = setting(
        "district", "inside what teachers change places", "交流范围", choices=("group", "zone", "district", "community")
    )
    direction: str = setting(
        "strong_weak", "between which schools", "交流方向", choices=("strong_weak", "urban_village", "any")
    )


@dataclass(frozen=True, kw_only=True)
class BundledEvaluation(Lever):
    """捆绑式评价: a lead is judged by its members too, and so cares whom it sends."""

    NAME, TITLE_ZH = "bundled_evaluation", "捆绑式评价"
    weight: float = setting(0.0, "weight of members in the lead's evaluation", "成员校权重", "share", 0, 1)


@dataclass(frozen=True, kw_only=True)
class Stipend(Lever):
    """支教补助: money a year for each person who serves away."""

    NAME, TITLE_ZH = "stipend", "支教补助"
    yuan_per_year: float = setting(0.0, "money a person a year", "每人每年金额", "yuan", 0, 200000)
    who: str = setting(
        "seconded",
        "whom it is for",
        "对象",
        choices=("seconded", "seconded_across", "rotated", "rotated_to_weak", "village_posts"),
    )
    paid_by: str = setting("district", "who pays", "支付方", choices=("municipality", "district", "receiving_district"))
    received_by: str = setting(
        "sending_school", "who receives it first", "接收方", choices=("sending_school", "teacher")
    )
    passed_on: float = setting(1.0, "share of the school's pool that reaches the person", "到人比例", "share", 0, 1)


@dataclass(frozen=True, kw_only=True)
class CareerRules(Lever):
    """职称与任职规则: service in weak schools counts for titles and for becoming head."""

    NAME, TITLE_ZH = "career_rules", "职称与校长任职规则"
    WHOLE_REGION = True
    senior_title_weak_years: int = setting(
        0, "years in weak or village schools before a senior title", "高级职称所需薄弱校年限", "years", 0, 6
    )
    head_weak_years: int = setting(
        0, "years in weak or village schools that give priority as head", "任校长优先年限", "years", 0, 9
    )
    village_titles: float = setting(
        0.0, "extra chance of a title for village teachers", "乡村教师职称倾斜", "share", 0, 1
    )
    newcomer_village_years: int = setting(
        0, "years a new teacher serves first where a village school has a vacancy", "新教师农村服务年限", "years", 0, 9
    )


@dataclass(frozen=True, kw_only=True)
class HeadExchange(Lever):
    """校长交流: heads of stronger and weaker schools change places."""

    NAME, TITLE_ZH = "head_exchange", "校长交流"
    share_per_year: float = setting(0.0, "heads who change school each year", "每年交流校长比例", "share", 0, 0.5)


@dataclass(frozen=True, kw_only=True)
class Posts(Lever):
    """教职工编制: posts follow pupils inside the quota."""

    NAME, TITLE_ZH = "posts", "编制动态管理"
    WHOLE_REGION = True
    follow_enrolment: float = setting(
        0.0, "share of the gap to the standard closed each year", "按生源调整比例", "share", 0, 1
    )
    one_standard: float = setting(
        0.0, "share of the way from today's ratios to one urban-rural standard", "城乡统一编制标准", "share", 0, 1
    )
    small_school_posts: float = setting(0.0, "least posts a class in small schools", "小规模学校班师比", "posts", 0, 3)
    quota_growth: float = setting(0.0, "yearly growth of the total quota", "编制总量年增长", "share", -0.1, 0.1)


@dataclass(frozen=True, kw_only=True)
class PeArtRecruitment(Lever):
    """补充体育艺术教师: posts for PE, music and art where they are short, and bought lessons."""

    NAME, TITLE_ZH = "pe_art_recruitment", "补充体育艺术教师"
    teachers: int = setting(0, "teachers recruited this year", "当年补充教师", "teachers", 0, 5000)
    bought_lessons: float = setting(
        0.0, "share of what is still missing bought as a service", "购买服务比例", "share", 0, 1
    )


@dataclass(frozen=True, kw_only=True)
class BackbonePipeline(Lever):
    """骨干教师梯队: teachers are trained, apply and are named backbones."""

    NAME, TITLE_ZH = "backbone_pipeline", "骨干教师培养"
    per_year: int = setting(0, "teachers named backbones each year", "每年新认定骨干", "teachers", 0, 5000)
    to_short_schools: float = setting(
        0.0, "share reserved for schools short of backbones", "向不足学校倾斜", "share", 0, 1
    )
    share_per_year: float = setting(
        0.0, "teachers named each year over all teachers (beside per_year)", "每年新认定骨干占教师比例", "share", 0, 0.2
    )


@dataclass(frozen=True, kw_only=True)
class InServiceDegrees(Lever):
    """学历提升: serving teachers study for the next degree."""

    NAME, TITLE_ZH = "in_service_degrees", "在职学历进修"
    share_per_year: float = setting(
        0.0, "of those without it, who gain the degree each year", "每年提升比例", "share", 0, 1
    )


@dataclass(frozen=True, kw_only=True)
class Training(Lever):
    """教师培训: generic training; evidence says it moves no score (evidence.md 2, row 30)."""

    NAME, TITLE_ZH = "training", "教师培训"
    share_of_public_funds: float = setting(
        0.0, "of public funds spent on training", "公用经费培训占比", "share", 0, 0.3
    )


@dataclass(frozen=True, kw_only=True)
class FacilityInvestment(Lever):
    """办学条件投入: money a pupil on what is farthest below standard, or works by item."""

    NAME, TITLE_ZH = "facility_investment", "办学条件投入"
    yuan_per_pupil: float = setting(
        0.0, "money a pupil of the places it is limited to, a year", "生均年投入", "yuan", 0, 50000
    )
    teaching_area_m2: float = setting(0.0, "teaching rooms built", "新增教学用房", "m2", 0, 1e6, cost="teaching_area")
    sports_area_m2: float = setting(
        0.0, "sports ground and halls built", "新增运动场馆", "m2", 0, 1e6, cost="sports_area"
    )
    equipment_sets: float = setting(0.0, "sets of equipment bought", "新增仪器", "sets", 0, 1e7, cost="equipment_set")
    multimedia_rooms: int = setting(
        0, "multimedia classrooms fitted", "新增多媒体教室", "rooms", 0, 100000, cost="multimedia_room"
    )
    music_rooms: int = setting(0, "music rooms fitted", "新增音乐教室", "rooms", 0, 10000, cost="art_room")
    art_rooms: int = setting(0, "art rooms fitted", "新增美术教室", "rooms", 0, 10000, cost="art_room")
    grade_c_m2: float = setting(
        0.0, "grade-C floor repaired (adds no area)", "C级校舍改造", "m2", 0, 1e7, cost="repair"
    )
    target: str = setting("worst", "which schools first", "投向", choices=("worst", "largest_cv", "even"))


@dataclass(frozen=True, kw_only=True)
class FacilityMaintenance(Lever):
    """日常维护: what keeps buildings and equipment serving."""

    NAME, TITLE_ZH = "facility_maintenance", "日常维护"
    share_of_wear: float = setting(0.0, "share of the year's wear made good", "弥补损耗比例", "share", 0, 2)


@dataclass(frozen=True, kw_only=True)
class HiredVenues(Lever):
    """租赁校外场馆: sports area hired within a ten-minute walk."""

    NAME, TITLE_ZH = "hired_venues", "租赁校外场馆"
    share_of_gap: float = setting(0.0, "of the missing sports area, hired", "补缺比例", "share", 0, 1)


@dataclass(frozen=True, kw_only=True)
class NewPlaces(Lever):
    """新增学位: classrooms added where places are short."""

    NAME, TITLE_ZH = "new_places", "新增学位"
    primary_classes: int = setting(
        0, "primary classrooms opened this year", "新增小学班数", "classes", 0, 2000, cost="place"
    )
    junior_classes: int = setting(
        0, "junior classrooms opened this year", "新增初中班数", "classes", 0, 2000, cost="place"
    )
    growth_primary: float = setting(
        0.0, "primary classrooms opened this year over those there", "小学教室年增长", "share", 0, 0.5, cost="place"
    )
    growth_junior: float = setting(
        0.0, "junior classrooms opened this year over those there", "初中教室年增长", "share", 0, 0.5, cost="place"
    )


@dataclass(frozen=True, kw_only=True)
class NewSchools(Lever):
    """新建学校: schools by name that open in the first year of the entry, each written 'name@town'."""

    NAME, TITLE_ZH = "new_schools", "新建学校"
    WHOLE_REGION = True
    primary: tuple[str, ...] = setting((), "primary schools, each as 'name@town'", "小学")
    junior: tuple[str, ...] = setting((), "junior schools, each as 'name@town'", "初中")
    nine_year: tuple[str, ...] = setting((), "schools with both stages, each as 'name@town'", "九年一贯制学校")
    primary_classes: int = setting(24, "primary classrooms of each", "每校小学班数", "classes", 6, 120)
    junior_classes: int = setting(18, "junior classrooms of each", "每校初中班数", "classes", 3, 120)

    def names(self) -> tuple[str, ...]:
        """All schools of the entry."""
        return (*self.primary, *self.junior, *self.nine_year)


@dataclass(frozen=True, kw_only=True)
class Budget(Lever):
    """预算: what all levers together may cost a year; beyond it the results say so, and nothing is cut."""

    NAME, TITLE_ZH = "budget", "预算上限"
    WHOLE_REGION = True
    yuan_per_year: float = setting(0.0, "most the levers may cost a year; 0: no limit", "年度上限", "yuan", 0, 1e12)


@dataclass(frozen=True, kw_only=True)
class CapacityAward(Lever):
    """新增义务教育资源奖补: one-off award for each new class (a transfer, not the cost)."""

    NAME, TITLE_ZH = "capacity_award", "新增资源奖补"
    WHOLE_REGION = True
    yuan_per_primary_class: float = setting(0.0, "for a new primary class", "小学每班", "yuan", 0, 5e6)
    yuan_per_junior_class: float = setting(0.0, "for a new junior class", "初中每班", "yuan", 0, 5e6)


@dataclass(frozen=True, kw_only=True)
class Caps(Lever):
    """班额与校额: no new class above the cap, no new entrant above the school's cap. 0: no cap."""

    NAME, TITLE_ZH = "caps", "班额校额上限"
    WHOLE_REGION = True
    class_primary: int = setting(0, "pupils a primary class", "小学班额", "pupils", 0, 100)
    class_junior: int = setting(0, "pupils a junior class", "初中班额", "pupils", 0, 100)
    school: int = setting(0, "pupils a school", "学校规模", "pupils", 0, 20000)
    nine_year: int = setting(0, "pupils of a school with both stages", "九年一贯制规模", "pupils", 0, 20000)


@dataclass(frozen=True, kw_only=True)
class Admission(Lever):
    """招生入学: who is admitted where."""

    NAME, TITLE_ZH = "admission", "招生入学"
    WHOLE_REGION = True
    rule: str = setting(
        "single_catchment",
        "how places are given",
        "录取规则",
        choices=("single_catchment", "multi_school_lottery", "deferred_acceptance", "immediate_acceptance", "merit"),
    )
    proximity_primary: float = setting(
        0.0, "least share of a primary school's entrants from its catchment", "小学就近入学比例", "share", 0, 1
    )
    proximity_junior: float = setting(
        0.0, "least share of a junior school's entrants from its catchment", "初中就近入学比例", "share", 0, 1
    )


@dataclass(frozen=True, kw_only=True)
class SeniorHighQuota(Lever):
    """优质高中名额分配: elite places guaranteed to every junior school."""

    NAME, TITLE_ZH = "senior_high_quota", "优质高中指标到校"
    WHOLE_REGION = True
    share: float = setting(0.0, "share of elite places given to schools by quota", "指标到校比例", "share", 0, 1)
    village_tilt: float = setting(0.0, "extra weight of village schools in the quota", "农村初中倾斜", "share", 0, 2)
    enrolment_years: int = setting(3, "years of 学籍 in the school that the quota asks for", "学籍年限", "years", 0, 3)


@dataclass(frozen=True, kw_only=True)
class PublicFunds(Lever):
    """公用经费: running money by pupil."""

    NAME, TITLE_ZH = "public_funds", "公用经费"
    primary: float = setting(0.0, "a primary pupil a year", "小学生均", "yuan", 0, 20000)
    junior: float = setting(0.0, "a junior pupil a year", "初中生均", "yuan", 0, 20000)
    small_school_floor: int = setting(
        0, "pupils that a smaller school is funded as", "小规模学校核定人数", "pupils", 0, 500
    )


@dataclass(frozen=True, kw_only=True)
class TeacherPay(Lever):
    """教师工资: pay against the local civil service, and what a village post adds."""

    NAME, TITLE_ZH = "teacher_pay", "教师工资"
    ratio_to_civil_service: float = setting(
        1.0, "mean pay over mean pay of civil servants", "与公务员工资比", "ratio", 0.5, 2
    )
    village_supplement: float = setting(
        0.0, "added to pay in village schools, a year", "乡村教师补助", "yuan", 0, 200000
    )


@dataclass(frozen=True, kw_only=True)
class SchoolMerging(Lever):
    """撤并: village schools below a size close and their pupils go to the town's school."""

    NAME, TITLE_ZH = "school_merging", "学校撤并"
    below_pupils: int = setting(0, "schools smaller than this are merged", "撤并规模线", "pupils", 0, 500)


@dataclass(frozen=True, kw_only=True)
class StrongTown(Lever):
    """强镇筑基: the town-seat school grows strong; boarding and buses widen whom it can take."""

    NAME, TITLE_ZH = "strong_town", "强镇筑基"
    boarding_share: float = setting(
        0.0, "share of seats of town-seat schools for boarders", "寄宿学位比例", "share", 0, 1
    )
    bus_km: float = setting(0.0, "distance that school buses take off the way", "校车覆盖距离", "km", 0, 30)
    practice_support: float = setting(
        0.0,
        "pairs a year in which an urban quality school guides the town-seat school",
        "城区优质校结对指导",
        "share",
        0,
        1,
    )


LEVERS: dict[str, type[Lever]] = {
    kind.NAME: kind
    for kind in (
        EducationGroups,
        UrbanRuralPairs,
        RegionalCommunities,
        CooperativeSchools,
        SchoolZones,
        DigitalResources,
        TeacherRotation,
        BundledEvaluation,
        Stipend,
        CareerRules,
        HeadExchange,
        Posts,
        PeArtRecruitment,
        BackbonePipeline,
        InServiceDegrees,
        Training,
        FacilityInvestment,
        FacilityMaintenance,
        HiredVenues,
        NewPlaces,
        NewSchools,
        Budget,
        CapacityAward,
        Caps,
        Admission,
        SeniorHighQuota,
        PublicFunds,
        TeacherPay,
        SchoolMerging,
        StrongTown,
    )
}
