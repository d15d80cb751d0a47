// Names of the map's regions: the map file says them in simplified Chinese.

import type { Lang } from "../core/i18n";

const NAMES: Record<string, readonly [en: string, hant: string]> = {
  北京: ["Beijing", "北京"],
  天津: ["Tianjin", "天津"],
  河北: ["Hebei", "河北"],
  山西: ["Shanxi", "山西"],
  内蒙古: ["Inner Mongolia", "內蒙古"],
  辽宁: ["Liaoning", "遼寧"],
  吉林: ["Jilin", "吉林"],
  黑龙江: ["Heilongjiang", "黑龍江"],
  上海: ["Shanghai", "上海"],
  江苏: ["Jiangsu", "江蘇"],
  浙江: ["Zhejiang", "浙江"],
  安徽: ["Anhui", "安徽"],
  福建: ["Fujian", "福建"],
  江西: ["Jiangxi", "江西"],
  山东: ["Shandong", "山東"],
  河南: ["Henan", "河南"],
  湖北: ["Hubei", "湖北"],
  湖南: ["Hunan", "湖南"],
  广东: ["Guangdong", "廣東"],
  广西: ["Guangxi", "廣西"],
  海南: ["Hainan", "海南"],
  重庆: ["Chongqing", "重慶"],
  四川: ["Sichuan", "四川"],
  贵州: ["Guizhou", "貴州"],
  云南: ["Yunnan", "雲南"],
  西藏: ["Tibet", "西藏"],
  陕西: ["Shaanxi", "陝西"],
  甘肃: ["Gansu", "甘肅"],
  青海: ["Qinghai", "青海"],
  宁夏: ["Ningxia", "寧夏"],
  新疆: ["Xinjiang", "新疆"],
  台湾: ["Taiwan", "臺灣"],
  香港: ["Hong Kong", "香港"],
  澳门: ["Macao", "澳門"],
};
/** Too small on the map for a label beside their neighbours' symbols. */
const NO_LABEL = new Set(["香港", "澳门", "北京", "天津", "上海"]);

export function provinceLabel(name: string, lang: Lang): string {
  const names = NAMES[name];
  if (!names || NO_LABEL.has(name)) return "";
  return lang === "en" ? names[0] : lang === "zh-hant" ? names[1] : name;
}
